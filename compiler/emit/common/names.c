/* Names and text of the user as C: identifiers without clashes, strings and comments that cannot
 * end early.
 *
 * Input: names of the program.  Output: C text.  Invariant: generated code's own names start with
 * nn_, nnc_, nns_, nnv_, NN_ or NNC_, and no user name does. */
#include "emit/common/common.h"

#include <string.h>

/* Words of C, C++ and the headers that generated files include. */
static const char *const reserved[] = {
    "alignas",       "alignof",     "and",       "and_eq",   "asm",        "auto",
    "bitand",        "bitor",       "bool",      "break",    "case",       "catch",
    "char",          "class",       "compl",     "const",    "const_cast", "constexpr",
    "continue",      "decltype",    "default",   "delete",   "do",         "double",
    "dynamic_cast",  "else",        "enum",      "explicit", "export",     "extern",
    "false",         "float",       "for",       "friend",   "goto",       "if",
    "inline",        "int",         "long",      "mutable",  "namespace",  "new",
    "noexcept",      "not",         "not_eq",    "nullptr",  "operator",   "or",
    "or_eq",         "private",     "protected", "public",   "register",   "reinterpret_cast",
    "restrict",      "return",      "short",     "signed",   "sizeof",     "static",
    "static_assert", "static_cast", "struct",    "switch",   "template",   "this",
    "thread_local",  "throw",       "true",      "try",      "typedef",    "typeid",
    "typename",      "union",       "unsigned",  "using",    "virtual",    "void",
    "volatile",      "wchar_t",     "while",     "xor",      "xor_eq",     "ctx",
    "seed",          "NULL",        "INFINITY",  "NAN",      "main",       "size_t",
    "int8_t",        "int16_t",     "int32_t",   "int64_t",  "uint8_t",    "uint16_t",
    "uint32_t",      "uint64_t",    "linux",     "unix",     "errno",      "I",
    "typeof"};

const char *emit_identifier(Arena *arena, const char *text) {
    size_t n = strlen(text);
    char *name = arena_alloc(arena, n + 3);
    size_t at = 0;
    if (!n || (text[0] >= '0' && text[0] <= '9')) name[at++] = '_';
    for (size_t i = 0; i < n; i++) {
        char c = text[i];
        bool fits = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        name[at++] = fits ? c : '_';
    }
    bool taken = !strncmp(name, "nn_", 3) || !strncmp(name, "nnc_", 4) ||
                 !strncmp(name, "nns_", 4) || !strncmp(name, "nnv_", 4) ||
                 !strncmp(name, "NN_", 3) || !strncmp(name, "NNC_", 4);
    for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++)
        taken = taken || !strcmp(reserved[i], name);
    if (taken) name[at++] = '_';
    return name;
}

const char *name_set_add(NameSet *set, const char *wanted) {
    const char *name = wanted;
    for (int number = 2;; number++) {
        bool free_ = true;
        for (int i = 0; i < set->used.count && free_; i++)
            free_ = strcmp(set->used.data[i], name) != 0;
        if (free_) break;
        name = arena_printf(set->arena, "%s_%d", wanted, number);
    }
    vector_push(set->arena, &set->used, name);
    return name;
}

void emit_string(Text *out, const char *text) {
    text_char(out, '"');
    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        if (*p == '"' || *p == '\\' || *p == '?') {
            text_char(out, '\\');
            text_char(out, (char)*p);
        } else if (*p >= 32 && *p < 127) {
            text_char(out, (char)*p);
        } else {
            text_printf(out, "\\%03o", *p);
        }
    }
    text_char(out, '"');
}

void emit_comment_lines(Text *out, const char *prefix, const char *text) {
    const char *p = text;
    while (*p) {
        text_append(out, prefix);
        for (; *p && *p != '\n'; p++) {
            text_char(out, *p);
            if ((p[0] == '*' && p[1] == '/') || (p[0] == '/' && p[1] == '*')) text_char(out, ' ');
        }
        text_char(out, '\n');
        if (*p) p++;
    }
}

EntryNames *entry_names(Arena *arena, const Entry *entry) {
    EntryNames *names = NEW(arena, EntryNames);
    NameSet set = {arena, {0}};
    names->entry = entry;
    names->dims = NEW_ARRAY(arena, (size_t)entry->dims.count, const char *);
    names->arguments = NEW_ARRAY(arena, (size_t)entry->arguments.count, const char *);
    names->results = NEW_ARRAY(arena, (size_t)entry->results.count, const char *);
    for (int i = 0; i < entry->dims.count; i++) {
        const DimSymbol *s = dim_as_symbol(entry->dims.data[i]);
        names->dims[i] = name_set_add(&set, emit_identifier(arena, s ? s->name->text : "dim"));
    }
    for (int i = 0; i < entry->arguments.count; i++)
        names->arguments[i] =
            name_set_add(&set, emit_identifier(arena, entry->arguments.data[i].name->text));
    for (int i = 0; i < entry->results.count; i++)
        names->results[i] =
            name_set_add(&set, emit_identifier(arena, entry->results.data[i].name->text));
    return names;
}

const char *entry_symbol_text(void *user, const DimSymbol *symbol) {
    const EntryNames *names = user;
    const Dim *d = plan_entry_symbol(names->entry, symbol);
    for (int i = 0; d && i < names->entry->dims.count; i++)
        if (names->entry->dims.data[i] == d) return names->dims[i];
    return symbol->name->text;
}

void emit_dim_parameters(Text *out, const char *const *names, int count, const char *none) {
    for (int i = 0; i < count; i++) text_printf(out, "%sint64_t %s", i ? ", " : "", names[i]);
    if (!count) text_append(out, none);
}

void emit_entry_signature(Text *out, const EntryNames *names) {
    const Entry *e = names->entry;
    text_printf(out, "int %s(nnc_context *ctx", emit_identifier(out->arena, e->symbol));
    for (int i = 0; i < e->dims.count; i++) text_printf(out, ", int64_t %s", names->dims[i]);
    for (int i = 0; i < e->arguments.count; i++) {
        const TensorType *t = &e->arguments.data[i].node->type;
        const char *type = emit_c_type(t->dtype);
        if (t->shape.rank == 0)
            text_printf(out, ", %s %s", type, names->arguments[i]);
        else
            text_printf(out, ", const %s *%s", type, names->arguments[i]);
    }
    for (int i = 0; i < e->results.count; i++)
        text_printf(out, ", %s *%s", emit_c_type(e->results.data[i].node->type.dtype),
                    names->results[i]);
    text_char(out, ')');
}

const KernelEntry *root_entry(const RootPlan *root, EntryKind kind) {
    for (int i = 0; i < root->entries.count; i++)
        if (root->entries.data[i]->entry->entry->kind == kind) return root->entries.data[i]->entry;
    return NULL;
}

const char **root_state_names(Arena *arena, const RootPlan *root) {
    NameSet set = {arena, {0}};
    const char **names = NEW_ARRAY(arena, (size_t)root->state_symbols.count, const char *);
    for (int i = 0; i < root->state_symbols.count; i++)
        names[i] =
            name_set_add(&set, emit_identifier(arena, root->state_symbols.data[i]->name->text));
    return names;
}
