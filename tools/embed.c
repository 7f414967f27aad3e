/* Build tool: turns files into a C table.  embed PREFIX OUT.c FILES...
 * The table is  const struct { const char *name; const char *text; size_t length; } PREFIX_files[]
 * ending in a row of NULL; names are without folders. */
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv) {
    if (argc < 3) return 2;
    FILE *out = fopen(argv[2], "w");
    if (!out) return 1;
    fprintf(out, "#include <stddef.h>\n");
    for (int i = 3; i < argc; i++) {
        FILE *in = fopen(argv[i], "rb");
        if (!in) return 1;
        fprintf(out, "static const unsigned char text_%d[] = {", i);
        for (int c, n = 0; (c = getc(in)) != EOF; n++) fprintf(out, "%s%d,", n % 24 ? "" : "\n", c);
        fprintf(out, "0};\n");
        fclose(in);
    }
    fprintf(
        out,
        "typedef struct EmbeddedFile { const char *name, *text; size_t length; } EmbeddedFile;\n"
        "extern const EmbeddedFile %s_files[];\nconst EmbeddedFile %s_files[] = {\n",
        argv[1], argv[1]);
    for (int i = 3; i < argc; i++) {
        const char *slash = strrchr(argv[i], '/');
        fprintf(out, "    {\"%s\", (const char *)text_%d, sizeof text_%d - 1},\n",
                slash ? slash + 1 : argv[i], i, i);
    }
    fprintf(out, "    {NULL, NULL, 0}};\n");
    return fclose(out) ? 1 : 0;
}
