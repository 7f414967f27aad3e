/* Compiles emitted C or CUDA C++ into a shared object and loads it.
 *
 * Input: the text.  Output: its functions.  Objects are kept in $XDG_CACHE_HOME/nnc (else
 * ~/.cache/nnc, else $TMPDIR/nnc-UID), a folder with mode 0700 that belongs to the user, under a
 * hash of the text, the compiler's version, the flags and the processor; they are renamed in, so
 * that a reader never sees half a file. */
#ifndef NNC_DRIVER_JIT_H
#define NNC_DRIVER_JIT_H

#include "nncrt.h"

typedef struct JitFile {
    const char *name, *text; /* the first is the one that is compiled; others are its headers */
    size_t length;
} JitFile;

typedef struct JitModel {
    void *library;
} JitModel;

typedef enum JitLanguage { JIT_C, JIT_CUDA } JitLanguage;

typedef struct JitCompiler {
    JitLanguage language;
    const char *command; /* --cc or --nvcc; NULL: $CC, else "cc"; $NVCC, else "nvcc" */
    const char *march;   /* a flag more, or NULL */
    bool verbose;
    bool is_probe; /* the code is no model: what the compiler refuses is not our mistake */
} JitCompiler;

/* `symbol`: a function that the code must have.  Returns an exit status: 0, 3 (no compiler, no
 * place to write), 70 (the compiler refuses emitted code), 130 or 143 after a signal. */
int jit_open(const JitFile *files, int count, const char *symbol, const JitCompiler *compiler,
             JitModel *out, NncError *error);
/* Puts the address of a function into the pointer to it at `function`; false if there is none. */
bool jit_symbol(const JitModel *model, const char *symbol, void *function, size_t bytes);
void jit_unload(JitModel *model);

/* Flags of the C compiler that suit emitted code on this machine; ends in NULL.  --print-cflags
 * prints them, jit_open adds what a shared object needs. */
extern const char *const jit_code_flags[];

/* The compiler's words, split at spaces; 0 after a message when the text is too long or empty. */
int jit_words(const JitCompiler *compiler, char buffer[4096], const char **words, int limit,
              NncError *error);
/* A message that says what to do when there is no such compiler. */
void jit_explain_missing(JitLanguage language, const char *word, NncError *error);
/* A fresh folder for temporary files, mode 0700; jit_remove_folder deletes it with its files. */
bool jit_make_folder(char path[4096], NncError *error);
void jit_remove_folder(const char *path);
bool jit_write_file(const char *folder, const char *name, const void *data, size_t length,
                    NncError *error);

#endif
