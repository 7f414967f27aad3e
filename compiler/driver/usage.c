/* Help, manual page and completions, printed from the tables of commands, options and passes. */
#include <string.h>
#include "driver/options.h"
#include "driver/passes.h"
#include "driver/train/train.h"

static const char exit_text[] =
    "Exit status: 0 fine; 1 errors in the model; 2 wrong usage; 3 a file or the environment;\n"
    "4 fmt --check found a difference; 70 a bug of nnc; 130, 143 after a signal, saved.\n";

void usage_print_version(FILE *out) {
    fprintf(out, "nnc %s\n", NNC_VERSION);
}

void usage_print(FILE *out) {
    fputs("Usage: nnc [OPTIONS] FILE.nn -o model.c\n       nnc COMMAND [OPTIONS] [FILE]\n\n"
          "nnc compiles neural networks, written like their PyTorch classes, to plain C that "
          "infers and trains.\n\nCommands\n",
          out);
    for (int i = 0; i < COMMAND_COUNT; i++) {
        const CommandRow *row = &command_rows[i];
        fprintf(out, "  %-10s %-18s %s\n", row->name, row->arguments, row->doc);
    }
    fputs("\nOptions of compile\n", out);
    for (int i = 0; i < OPTION_COUNT; i++) {
        const OptionRow *row = &option_rows[i];
        if (!(row->commands >> COMMAND_COMPILE & 1)) continue;
        char left[64];
        snprintf(left, sizeof left, "%s%c%s --%s%s%s", row->letter ? "-" : " ",
                 row->letter ? row->letter : ' ', row->letter ? "," : " ", row->name,
                 row->argument[0] ? "=" : "", row->argument);
        fprintf(out, "  %-28s %s\n", left, row->help);
    }
    fprintf(out, "\n`nnc help COMMAND` lists the options of a command.\n%s", exit_text);
}

void usage_print_command(FILE *out, CommandId command) {
    fprintf(out, "Usage: nnc %s [OPTIONS] %s\n%s\n\nOptions\n", command_rows[command].name,
            command_rows[command].arguments, command_rows[command].doc);
    for (int i = 0; i < OPTION_COUNT; i++) {
        const OptionRow *row = &option_rows[i];
        if (!(row->commands >> command & 1)) continue;
        char left[64];
        snprintf(left, sizeof left, "%s%c%s --%s%s%s", row->letter ? "-" : " ",
                 row->letter ? row->letter : ' ', row->letter ? "," : " ", row->name,
                 row->argument[0] ? "=" : "", row->argument);
        fprintf(out, "  %-32s %s\n", left, row->help);
    }
    if (command == COMMAND_TRAIN) {
        Arena *arena = arena_new();
        fprintf(out, "\nSchedules\n  %s\n", schedule_names(arena));
        arena_free(arena);
    }
    if (command != COMMAND_COMPILE) return;
    fputs("\nPasses\n", out);
    for (int i = 0; i < pass_count(); i++)
        fprintf(out, "  %-14s %s\n", pass_at(i)->name, pass_at(i)->doc);
}

/* roff wants a backslash before - and a leading dot. */
static void roff(FILE *out, const char *text) {
    for (const char *p = text; *p; p++) {
        if (*p == '-' || *p == '\\') putc('\\', out);
        putc(*p, out);
    }
}

void usage_print_manual(FILE *out) {
    fprintf(
        out,
        ".TH NNC 1 \"\" \"nnc %s\"\n.SH NAME\nnnc \\- compiler for neural networks\n.SH SYNOPSIS\n",
        NNC_VERSION);
    fputs(".B nnc\n[\\fIOPTIONS\\fR] \\fIFILE.nn\\fR \\-o \\fImodel.c\\fR\n.br\n.B "
          "nnc\n\\fICOMMAND\\fR [\\fIOPTIONS\\fR] [\\fIFILE\\fR]\n"
          ".SH DESCRIPTION\nnnc compiles neural networks, written like their PyTorch classes, to "
          "plain C that infers and trains.\n",
          out);
    for (int c = 0; c < COMMAND_COUNT; c++) {
        fprintf(out, ".SH NNC %s\n.B nnc %s\n", command_rows[c].name, command_rows[c].name);
        roff(out, command_rows[c].arguments);
        fputs("\n.PP\n", out);
        roff(out, command_rows[c].doc);
        putc('\n', out);
        for (int i = 0; i < OPTION_COUNT; i++) {
            const OptionRow *row = &option_rows[i];
            if (!(row->commands >> c & 1)) continue;
            fputs(".TP\n", out);
            if (row->letter) fprintf(out, "\\fB\\-%c\\fR, ", row->letter);
            fputs("\\fB\\-\\-", out);
            roff(out, row->name);
            fputs("\\fR", out);
            if (row->argument[0]) {
                fputs("=\\fI", out);
                roff(out, row->argument);
                fputs("\\fR", out);
            }
            putc('\n', out);
            roff(out, row->help);
            putc('\n', out);
        }
    }
    fputs(".SH PASSES\n", out);
    for (int i = 0; i < pass_count(); i++) {
        fprintf(out, ".TP\n.B %s\n", pass_at(i)->name);
        roff(out, pass_at(i)->doc);
        putc('\n', out);
    }
    fputs(".SH EXIT STATUS\n", out);
    roff(out, exit_text);
}

static void words_of(FILE *out, CommandId command) {
    for (int i = 0; i < OPTION_COUNT; i++)
        if (option_rows[i].commands >> command & 1)
            fprintf(out, " --%s%s", option_rows[i].name, option_rows[i].argument[0] ? "=" : "");
}

static void completion_bash(FILE *out) {
    fputs(
        "_nnc() {\n    local word=${COMP_WORDS[COMP_CWORD]} words\n    case ${COMP_WORDS[1]} in\n",
        out);
    for (int c = 0; c < COMMAND_COUNT; c++) {
        if (c == COMMAND_COMPILE) continue;
        fprintf(out, "    %s) words='", command_rows[c].name);
        words_of(out, (CommandId)c);
        fputs("' ;;\n", out);
    }
    fputs("    *) words='", out);
    for (int c = 0; c < COMMAND_COUNT; c++) fprintf(out, " %s", command_rows[c].name);
    words_of(out, COMMAND_COMPILE);
    fputs("' ;;\n    esac\n    COMPREPLY=($(compgen -W \"$words\" -- \"$word\") $(compgen -f -- "
          "\"$word\"))\n}\n"
          "complete -o nospace -F _nnc nnc\n",
          out);
}

static void completion_zsh(FILE *out) {
    fputs("#compdef nnc\n_nnc() {\n    local -a words\n    case $words[2] in\n", out);
    for (int c = 0; c < COMMAND_COUNT; c++) {
        fprintf(out, "    %s) compadd --", c == COMMAND_COMPILE ? "*.nn" : command_rows[c].name);
        words_of(out, (CommandId)c);
        fputs(" ;;\n", out);
    }
    fputs("    *) compadd --", out);
    for (int c = 0; c < COMMAND_COUNT; c++) fprintf(out, " %s", command_rows[c].name);
    fputs(" ;;\n    esac\n    _files\n}\n_nnc\n", out);
}

static void fish_quoted(FILE *out, const char *text) {
    putc('\'', out);
    for (const char *p = text; *p; p++) {
        if (*p == '\'' || *p == '\\') putc('\\', out);
        putc(*p, out);
    }
    putc('\'', out);
}

static void completion_fish(FILE *out) {
    for (int c = 0; c < COMMAND_COUNT; c++) {
        fprintf(out, "complete -c nnc -n __fish_use_subcommand -a %s -d ", command_rows[c].name);
        fish_quoted(out, command_rows[c].doc);
        putc('\n', out);
    }
    for (int i = 0; i < OPTION_COUNT; i++) {
        const OptionRow *row = &option_rows[i];
        for (int c = 0; c < COMMAND_COUNT; c++) {
            if (!(row->commands >> c & 1)) continue;
            fprintf(out, "complete -c nnc -n '%s %s' -l %s%s -d ",
                    c == COMMAND_COMPILE ? "__fish_use_subcommand; or __fish_seen_subcommand_from"
                                         : "__fish_seen_subcommand_from",
                    command_rows[c].name, row->name, row->kind == KIND_FLAG ? "" : " -r");
            fish_quoted(out, row->help);
            putc('\n', out);
        }
    }
}

bool usage_print_completion(FILE *out, const char *shell) {
    if (!strcmp(shell, "bash"))
        completion_bash(out);
    else if (!strcmp(shell, "zsh"))
        completion_zsh(out);
    else if (!strcmp(shell, "fish"))
        completion_fish(out);
    else
        return false;
    return true;
}
