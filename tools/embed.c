/* Build tool: turns files into C tables.  embed PREFIX OUT.c FILES...
 * PREFIX_files[] has {name, text, length} of each, ending in a row of NULL; names are without
 * folders.  Files of the language (.nn) also have an index of their definitions, PREFIX_parts[]:
 * {file, name, begin, end, is_vjp}, sorted by file and name, so that one can be parsed alone. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PARTS_MAX = 4096, NAME_MAX_LENGTH = 64 };

typedef struct Part {
    const char *file;
    char name[NAME_MAX_LENGTH];
    long begin, end;
    int is_vjp;
} Part;

static Part parts[PARTS_MAX];
static int part_count;

static const char *base_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static int by_name(const void *a, const void *b) {
    const Part *x = a, *y = b;
    int order = strcmp(x->file, y->file);
    if (!order) order = strcmp(x->name, y->name);
    return order ? order : x->is_vjp - y->is_vjp;
}

/* A definition begins at the start of its line in canonical layout, with the comments above it. */
static int note_parts(const char *file, const char *text) {
    static const char *const words[] = {"def ", "module ", "optimizer ", "vjp "};
    long after = 0; /* the last line that is code */
    for (const char *line = text; *line;) {
        const char *end = strchr(line, '\n');
        const char *next = end ? end + 1 : line + strlen(line);
        for (int i = 0; i < 4; i++) {
            size_t word = strlen(words[i]), length = 0;
            if (strncmp(line, words[i], word)) continue;
            while (isalnum((unsigned char)line[word + length]) || line[word + length] == '_')
                length++;
            if (part_count == PARTS_MAX || length >= NAME_MAX_LENGTH) return 0;
            Part *p = &parts[part_count++];
            *p = (Part){.file = file, .begin = after, .is_vjp = i == 3};
            memcpy(p->name, line + word, length);
        }
        if (*line != '\n' && *line != '#') after = next - text;
        if (part_count && parts[part_count - 1].file == file) parts[part_count - 1].end = after;
        line = next;
    }
    return 1;
}

static char *read_all(const char *path, long *length) {
    FILE *in = fopen(path, "rb");
    if (!in || fseek(in, 0, SEEK_END) || (*length = ftell(in)) < 0) return NULL;
    rewind(in);
    char *text = malloc((size_t)*length + 1);
    if (!text || fread(text, 1, (size_t)*length, in) != (size_t)*length) return NULL;
    text[*length] = 0;
    fclose(in);
    return text;
}

int main(int argc, char **argv) {
    if (argc < 3) return 2;
    FILE *out = fopen(argv[2], "w");
    if (!out) return 1;
    fprintf(out, "#include \"base/embedded.h\"\n");
    for (int i = 3; i < argc; i++) {
        long length;
        char *text = read_all(argv[i], &length);
        if (!text) return 1;
        fprintf(out, "static const unsigned char text_%d[] = {", i);
        for (long n = 0; n < length; n++)
            fprintf(out, "%s%d,", n % 24 ? "" : "\n", (unsigned char)text[n]);
        fprintf(out, "0};\n");
        size_t name = strlen(argv[i]);
        if (name > 3 && !strcmp(argv[i] + name - 3, ".nn") && !note_parts(base_name(argv[i]), text))
            return 1;
        free(text);
    }
    fprintf(out, "const EmbeddedFile %s_files[] = {\n", argv[1]);
    for (int i = 3; i < argc; i++)
        fprintf(out, "    {\"%s\", (const char *)text_%d, sizeof text_%d - 1},\n",
                base_name(argv[i]), i, i);
    fprintf(out, "    {NULL, NULL, 0}};\n");
    if (part_count) {
        qsort(parts, (size_t)part_count, sizeof *parts, by_name);
        fprintf(out, "const EmbeddedPart %s_parts[] = {\n", argv[1]);
        for (int i = 0; i < part_count; i++)
            fprintf(out, "    {\"%s\", \"%s\", %ld, %ld, %d},\n", parts[i].file, parts[i].name,
                    parts[i].begin, parts[i].end, parts[i].is_vjp);
        fprintf(out, "};\nconst int %s_part_count = %d;\n", argv[1], part_count);
    }
    return fclose(out) ? 1 : 0;
}
