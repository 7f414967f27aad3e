/* Build tool: turns files into C tables.  embed PREFIX ROOT OUT.c FILES...
 * PREFIX_files[] has {name, text, length} of each, ending in a row of NULL; names are the paths
 * below the folder ROOT.  Files of the language (.nn) also have an index of their definitions,
 * PREFIX_parts[]: {space, name, file, begin, end, is_vjp}, sorted by space and name, so that one
 * can be parsed alone.  The files of a folder share its space; a name is defined once in it. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PARTS_MAX = 4096, NAME_MAX_LENGTH = 64 };

typedef struct Part {
    char space[NAME_MAX_LENGTH], name[NAME_MAX_LENGTH];
    int file; /* in PREFIX_files */
    long begin, end;
    int is_vjp;
} Part;

static Part parts[PARTS_MAX];
static int part_count;

static int by_name(const void *a, const void *b) {
    const Part *x = a, *y = b;
    int order = strcmp(x->space, y->space);
    if (!order) order = strcmp(x->name, y->name);
    return order ? order : x->is_vjp - y->is_vjp;
}

/* A definition begins at the start of its line in canonical layout, with the comments above it. */
static int note_parts(int file, const char *name, const char *text) {
    static const char *const words[] = {"def ", "module ", "optimizer ", "vjp "};
    const char *slash = strrchr(name, '/');
    size_t folder = slash ? (size_t)(slash - name) : 0;
    if (folder >= NAME_MAX_LENGTH) return 0;
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
            memcpy(p->space, name, folder);
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
    if (argc < 4) return 2;
    FILE *out = fopen(argv[3], "w");
    if (!out) return 1;
    size_t root = strlen(argv[2]) + 1;
    char **files = argv + 4;
    int count = argc - 4;
    fprintf(out, "#include \"base/embedded.h\"\n");
    for (int i = 0; i < count; i++) {
        if (strlen(files[i]) <= root || strncmp(files[i], argv[2], root - 1)) return 2;
        long length;
        char *text = read_all(files[i], &length);
        if (!text) return 1;
        fprintf(out, "static const unsigned char text_%d[] = {", i);
        for (long n = 0; n < length; n++)
            fprintf(out, "%s%d,", n % 24 ? "" : "\n", (unsigned char)text[n]);
        fprintf(out, "0};\n");
        size_t name = strlen(files[i]);
        if (name > 3 && !strcmp(files[i] + name - 3, ".nn") &&
            !note_parts(i, files[i] + root, text))
            return 1;
        free(text);
    }
    fprintf(out, "const EmbeddedFile %s_files[] = {\n", argv[1]);
    for (int i = 0; i < count; i++)
        fprintf(out, "    {\"%s\", (const char *)text_%d, sizeof text_%d - 1},\n", files[i] + root,
                i, i);
    fprintf(out, "    {NULL, NULL, 0}};\nconst int %s_file_count = %d;\n", argv[1], count);
    if (part_count) {
        qsort(parts, (size_t)part_count, sizeof *parts, by_name);
        fprintf(out, "const EmbeddedPart %s_parts[] = {\n", argv[1]);
        for (int i = 0; i < part_count; i++) {
            if (i && !by_name(&parts[i - 1], &parts[i])) {
                fprintf(stderr, "embed: %s is defined twice in %s\n", parts[i].name,
                        parts[i].space);
                return 1;
            }
            fprintf(out, "    {\"%s\", \"%s\", %d, %ld, %ld, %d},\n", parts[i].space, parts[i].name,
                    parts[i].file, parts[i].begin, parts[i].end, parts[i].is_vjp);
        }
        fprintf(out, "};\nconst int %s_part_count = %d;\n", argv[1], part_count);
    }
    return fclose(out) ? 1 : 0;
}
