/* The textual IR: a program, a root, an entry or a graph as text, and back.
 *
 *     root FashionMNIST train {
 *       cell net.fc.weight: f32[10, 784] parameter
 *       cell net.fc.weight.grad: f32[10, 784] gradient of=net.fc.weight
 *       cell lr: f32 scalar default=0.001
 *       entry train step symbol=FashionMNIST_step random {
 *         dims N in 1..1024 % 8, T
 *         check dim T <= 64 "T <= 64" argument=x
 *         %0: f32[N, 784] = input image
 *         %1: f32[10, 784] = cell net.fc.weight
 *         %2: f32[N, 10] = contract %0, %1 labels=ab,cb->ac  # net.fc fashion_mnist.nn:14
 *         %3: f32 = reduce %2 kind=sum axes=[0, 1]
 *         return loss=%3
 *         write net.fc.weight=%7
 *         check range %4 in 0..10 ignore=-100 "class ids" argument=label
 *       }
 *     }
 *
 * A lone graph is the same without names: cells, nodes, `return %3, %4`; the braces of `graph { }`
 * may be left out.  A type may be left out where the operator decides it (not for input, const,
 * iota, random, cast, reshape, expand, slice).  Labels are numbers or names (%x).  `scan` and
 * `call` carry their bodies in braces, and `proj` reads their results:
 *     %5 = scan %1, %0, %2 carries=1 sequences=1 invariants=1 length=T { ... return %3, %4 }
 *     %6: f32[N, 8] = proj %5 index=0
 * `no_grad` at the end of a line marks the node.  A name in a dim is the symbol of that name that
 * the table, the root or the `dims` line has, else a new one.  From # to the end of a line is a
 * comment: places are printed there, and not read back.
 * print(read(print(x))) == print(x) for text without places. */
#ifndef NNC_TENSOR_IR_H
#define NNC_TENSOR_IR_H

#include "tensor/program.h"

enum { IR_PLACES = 1 }; /* flags: append module paths and source lines as comments */

void graph_print(Text *out, const Graph *g, int flags);
void entry_print(Text *out, const Entry *entry, int flags);
void root_print(Text *out, const Root *root, int flags);
void program_print(Text *out, const Program *program, int flags);

/* NULL and "line 3: what is wrong" in *error (arena) where the text is not well-formed or an
 * operator does not fit its operands.  Cells that a lone graph declares are made in the arena. */
Graph *graph_read(Arena *arena, DimTable *dims, const char *text, const char **error);
Program *program_read(Arena *arena, const char *text, const char **error);
/* An entry alone, into `root` (its cells are known; the entry is appended to root->entries). */
Entry *entry_read(Arena *arena, DimTable *dims, Root *root, const char *text, const char **error);

/* Spellings that printer and reader share. */
const char *ir_role_name(CellRole role);
const char *ir_entry_kind_name(EntryKind kind);
bool ir_is_plain_name(const char *text);

#endif
