/* The seam under nnc_faulty: every call of compiler and runtime that asks the system for memory or
 * touches a file is linked to a wrapper (-Wl,--wrap) that counts it and can make it fail.
 * The shipped compiler has none of this. */
#ifndef TESTS_FAULTS_SEAM_H
#define TESTS_FAULTS_SEAM_H

#include <stdbool.h>

typedef enum FaultKind {
    FAULT_NONE,      /* count only */
    FAULT_MEMORY,    /* allocation `at` fails */
    FAULT_EXHAUSTED, /* allocation `at` and all after it fail */
    FAULT_HEAP,      /* allocation `at` of those that are in no arena fails */
    FAULT_CALL,      /* I/O call `at` fails */
    FAULT_EINTR,     /* I/O call `at` is interrupted once */
    FAULT_SHORT,     /* every read and write moves at most `at` bytes */
    FAULT_FULL,      /* the disk has room for `at` bytes */
} FaultKind;

typedef struct Fault {
    FaultKind kind;
    long at; /* from 1 */
} Fault;

void seam_arm(Fault fault); /* counts from here */
/* What the calls since seam_arm were; kept in memory that a forked child shares. */
typedef struct SeamCounts {
    long allocations, heap, calls, bytes;
    bool hit;      /* the fault came about */
    char name[32]; /* of the call that failed */
} SeamCounts;
extern SeamCounts *seam_counts;

#endif
