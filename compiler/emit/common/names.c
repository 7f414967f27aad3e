/* Names and text of the user as C: identifiers without clashes, strings and comments that cannot
 * end early.
 *
 * Input: names of the program.  Output: C text.  Invariant: generated code's own names start with
 * nn_, nnc_, nns_, nnv_, NN_ or NNC_, and no user name does. */
#include "emit/common/common.h"

#include <string.h>

/* Words of C, C++, CUDA and the headers that generated files include. */
static const char reserved_words[] =
    " AIO_PRIO_DELTA_MAX BC_BASE_MAX BC_DIM_MAX BC_SCALE_MAX BC_STRING_MAX BIG_ENDIAN BOOL_MAX "
    "BOOL_WIDTH BUFSIZ BYTE_ORDER CHARCLASS_NAME_MAX CHAR_BIT CHAR_MAX CHAR_MIN CHAR_WIDTH "
    "CLOCKS_PER_SEC COLL_WEIGHTS_MAX DELAYTIMER_MAX DLFO_EH_SEGMENT_TYPE DLFO_STRUCT_HAS_EH_COUNT "
    "DLFO_STRUCT_HAS_EH_DBASE DOMAIN EOF EXIT_FAILURE EXIT_SUCCESS EXPR_NEST_MAX FD_SETSIZE FILE "
    "FILENAME_MAX FOPEN_MAX HOST_NAME_MAX HUGE_VAL HUGE_VALF HUGE_VALL HUGE_VAL_F32 HUGE_VAL_F32X "
    "HUGE_VAL_F64 HUGE_VAL_F64X I INFINITY IOV_MAX LINE_MAX LITTLE_ENDIAN LLONG_MAX LLONG_MIN "
    "LLONG_WIDTH LM_ID_BASE LM_ID_NEWLM LOGIN_NAME_MAX LONG_BIT LONG_LONG_MAX LONG_LONG_MIN "
    "LONG_MAX LONG_MIN LONG_WIDTH L_ctermid L_cuserid L_tmpnam MATH_ERREXCEPT MATH_ERRNO MAXFLOAT "
    "MAX_CANON MAX_INPUT MB_CUR_MAX MB_LEN_MAX MQ_PRIO_MAX M_1_PI M_2_PI M_2_SQRTPI M_E M_LN10 "
    "M_LN2 M_LOG10E M_LOG2E M_PI M_PI_2 M_PI_4 M_SQRT1_2 M_SQRT2 NAME_MAX NAN NFDBITS NGROUPS_MAX "
    "NL_ARGMAX NL_LANGMAX NL_MSGMAX NL_NMAX NL_SETMAX NL_TEXTMAX NN NNC NULL NZERO OVERFLOW "
    "PATH_MAX PDP_ENDIAN PIPE_BUF PLOSS PTHREAD_DESTRUCTOR_ITERATIONS PTHREAD_KEYS_MAX "
    "PTHREAD_STACK_MIN PTRDIFF_MAX PTRDIFF_MIN PTRDIFF_WIDTH P_tmpdir RAND_MAX RENAME_EXCHANGE "
    "RENAME_NOREPLACE RENAME_WHITEOUT RE_DUP_MAX RTSIG_MAX SCHAR_MAX SCHAR_MIN SCHAR_WIDTH "
    "SEM_VALUE_MAX SHRT_MAX SHRT_MIN SHRT_WIDTH SIG_ATOMIC_MAX SIG_ATOMIC_MIN SIG_ATOMIC_WIDTH "
    "SING SIZE_MAX SIZE_WIDTH SNAN SNANF SNANF32 SNANF32X SNANF64 SNANF64X SNANL SSIZE_MAX "
    "TIMER_ABSTIME TIME_UTC TLOSS TMP_MAX TTY_NAME_MAX UCHAR_MAX UCHAR_WIDTH ULLONG_MAX "
    "ULLONG_WIDTH ULONG_LONG_MAX ULONG_MAX ULONG_WIDTH UNDERFLOW USHRT_MAX USHRT_WIDTH WCHAR_MAX "
    "WCHAR_MIN WCHAR_WIDTH WCONTINUED WEXITED WINT_MAX WINT_MIN WINT_WIDTH WNOHANG WNOWAIT "
    "WORD_BIT WSTOPPED WUNTRACED XATTR_LIST_MAX XATTR_NAME_MAX XATTR_SIZE_MAX alignas alignof and "
    "and_eq asm assert auto bitand bitor blockDim blockIdx bool break case catch char char16_t "
    "char32_t char8_t class clock_t co_await co_return co_yield compl concept const const_cast "
    "consteval constexpr constinit continue ctx decltype default delete div_t do double double_t "
    "dynamic_cast else enum environ errno explicit export extern false float float_t for friend "
    "goto gridDim i386 if inline int int16_t int32_t int64_t int8_t int_fast16_t int_fast32_t "
    "int_fast64_t int_fast8_t int_least16_t int_least32_t int_least64_t int_least8_t intmax_t "
    "intptr_t ldiv_t linux lldiv_t long main math_errhandling max_align_t mutable namespace new "
    "nn nnc nns nnv noexcept not not_eq nullptr nullptr_t off_t offsetof operator or or_eq pid_t "
    "private protected ptrdiff_t public register reinterpret_cast requires restrict return seed "
    "short signed signgam size_t sizeof ssize_t static static_assert static_cast stderr stdin "
    "stdout struct switch template this threadIdx thread_local throw time_t true try typedef "
    "typeid typename typeof uint16_t uint32_t uint64_t uint8_t uint_fast16_t uint_fast32_t "
    "uint_fast64_t uint_fast8_t uint_least16_t uint_least32_t uint_least64_t uint_least8_t "
    "uintmax_t uintptr_t union unix unsigned using va_list virtual void volatile warpSize wchar_t "
    "while wint_t xor xor_eq ";

/* Mathematical functions, which exist with f and l at the end too. */
static const char math_functions[] =
    " acos acosh asin asinh atan atan2 atanh cabs cacos cacosh carg casin casinh catan catanh "
    "cbrt ccos ccosh ceil cexp cimag clog conj copysign cos cosh cpow cproj creal csin csinh "
    "csqrt ctan ctanh drem erf erfc exp exp10 exp2 expm1 fabs fdim finite floor fma fmax fmin "
    "fmod frexp gamma hypot ilogb isinf isnan j0 j1 jn ldexp lgamma llrint llround log log10 "
    "log1p log2 logb lrint lround modf nan nearbyint nextafter nexttoward pow pow10 remainder "
    "remquo rint round scalb scalbln scalbn significand sin sincos sinh sqrt tan tanh tgamma "
    "trunc y0 y1 yn ";

/* Other functions of C and the most common ones of POSIX, for which an entry must not be taken; and
 * the parameters of the functions that call entries. */
static const char library_functions[] =
    " abort abs accept access acct alarm aligned_alloc alloca arguments asctime asprintf "
    "at_quick_exit atexit atof atoi atol atoll basename bcmp bcopy bind brk bsearch bzero "
    "calloc chdir chmod chown clearerr clock clone close closedir confstr connect creat ctime "
    "daemon difftime dims dirname div dprintf dup dup2 execl execle execlp execv execve execvp "
    "exit fclose fcntl feof ferror fflush ffs fgetc fgetpos fgets fgetwc fgetws fileno fork "
    "fpclassify fprintf fputc fputs fputwc fputws fread free freopen fscanf fseek fsetpos fstat "
    "fsync ftell ftruncate ftw fwide fwprintf fwrite fwscanf getc getchar getcwd getenv getline "
    "getopt getpid gets getwc getwchar glob gmtime htonl htons iconv imaxabs imaxdiv index "
    "ioctl isalnum isalpha isascii isatty isblank iscntrl isdigit isfinite isgraph isgreater "
    "isgreaterequal isless islessequal islessgreater islower isnormal isprint ispunct isspace "
    "isunordered isupper iswalnum iswalpha iswblank iswcntrl iswctype iswdigit iswgraph "
    "iswlower iswprint iswpunct iswspace iswupper iswxdigit isxdigit kill labs ldiv link listen "
    "llabs lldiv localeconv localtime lockf longjmp lseek malloc math_errhandling mblen mbrlen "
    "mbrtowc mbsinit mbsrtowcs mbstowcs mbtowc memccpy memchr memcmp memcpy memmem memmove "
    "mempcpy memset mkdir mkstemp mktime mmap mount munmap nanosleep nice ntohl ntohs open "
    "opendir pause perror pipe poll popen posix_memalign printf ptrace putc putchar putenv puts "
    "putwc putwchar qsort quick_exit raise rand random read readdir readlink realloc recv "
    "remove rename results rewind rindex rmdir scanf select send setbuf setenv setjmp setlocale "
    "setvbuf shutdown sigaction signal signbit sleep snprintf socket sprintf srand srandom "
    "sscanf stat statx stpcpy strcasecmp strcat strchr strcmp strcoll strcpy strcspn strdup "
    "strerror strfmon strftime strlen strncat strncmp strncpy strndup strpbrk strrchr strspn "
    "strstr strtod strtof strtoimax strtok strtol strtold strtoll strtoul strtoull strtoumax "
    "strxfrm swprintf swscanf sync syscall sysconf syslog system telldir time times tmpfile "
    "tmpnam tolower toupper towctrans towlower towupper truncate tsearch umask umount uname "
    "ungetc ungetwc unlink usleep utime va_arg va_copy va_end va_start vfork vfprintf vfscanf "
    "vfwprintf vfwscanf vprintf vscanf vsnprintf vsprintf vsscanf vswprintf vswscanf vwprintf "
    "vwscanf wait waitpid wcrtomb wcscat wcschr wcscmp wcscoll wcscpy wcscspn wcsftime wcslen "
    "wcsncat wcsncmp wcsncpy wcspbrk wcsrchr wcsrtombs wcsspn wcsstr wcstod wcstof wcstoimax "
    "wcstok wcstol wcstold wcstoll wcstombs wcstoul wcstoull wcstoumax wcsxfrm wctob wctomb "
    "wctrans wctype wmemchr wmemcmp wmemcpy wmemmove wmemset wprintf write wscanf ";

/* Whether the word stands in a list of sorted words with a blank around each. */
static bool is_word_of(const char *words, size_t size, const char *text, size_t length) {
    size_t low = 1, high = size; /* it begins in [low, high) */
    while (low < high) {
        size_t begin = low + (high - low) / 2;
        while (words[begin - 1] != ' ') begin--;
        size_t n = (size_t)(strchr(words + begin, ' ') - (words + begin));
        int order = memcmp(words + begin, text, n < length ? n : length);
        if (!order && n == length) return true;
        if (order < 0 || (!order && n < length))
            low = begin + n + 1;
        else
            high = begin;
    }
    return false;
}
#define IS_WORD_OF(words, text, length) is_word_of(words, sizeof words - 1, text, length)

static bool ends_in(const char *text, size_t length, const char *end) {
    size_t tail = strlen(end);
    return length >= tail && !strncmp(text + length - tail, end, tail);
}

/* Whether C, C++ or a header that generated files include may use the name (CUDA's headers include
 * much, and have many macros).  Underscores at its end do not count, so that adding one is
 * injective: int is int_, and int_ is int__. */
static bool is_taken(const char *text, bool global) {
    static const char *const beginnings[] = {"nn_",  "nnc_", "nns_",  "nnv_",  "NN_",   "NNC_",
                                             "FP_",  "M_",   "NV_",   "CU_",   "CUDA",  "ADJ_",
                                             "MOD_", "STA_", "SEEK_", "RTLD_", "CLOCK_"};
    static const char *const ends[] = {"_MAX", "_MIN", "_C", "_WIDTH"};
    size_t length = strlen(text);
    if (text[0] == '_' && (text[1] == '_' || (text[1] >= 'A' && text[1] <= 'Z'))) return true;
    for (size_t i = 0; i < sizeof beginnings / sizeof *beginnings; i++)
        if (!strncmp(text, beginnings[i], strlen(beginnings[i]))) return true;
    if (!strncmp(text, "cuda", 4) && text[4] >= 'A' && text[4] <= 'Z') return true;
    while (length > 1 && text[length - 1] == '_') length--;
    bool integer = !strncmp(text, "INT", 3) || !strncmp(text, "UINT", 4);
    for (size_t i = 0; integer && i < sizeof ends / sizeof *ends; i++)
        if (ends_in(text, length, ends[i])) return true;
    if (IS_WORD_OF(reserved_words, text, length)) return true;
    char last = text[length - 1];
    return global &&
           (IS_WORD_OF(library_functions, text, length) ||
            IS_WORD_OF(math_functions, text, length) ||
            ((last == 'f' || last == 'l') && IS_WORD_OF(math_functions, text, length - 1)));
}

static const char *identifier(Arena *arena, const char *text, bool global) {
    size_t n = strlen(text);
    char *name = arena_alloc(arena, n + 3);
    size_t at = 0;
    if (!n || (text[0] >= '0' && text[0] <= '9')) name[at++] = '_';
    for (size_t i = 0; i < n; i++) {
        char c = text[i];
        bool fits = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        name[at++] = fits ? c : '_';
    }
    if (is_taken(name, global)) name[at++] = '_';
    return name;
}

const char *emit_identifier(Arena *arena, const char *text) {
    return identifier(arena, text, false);
}

const char *emit_symbol(Arena *arena, const char *text) {
    return identifier(arena, text, true);
}

const char *emit_prefix(Arena *arena, const EmitOptions *options, const Root *root) {
    return arena_printf(arena, "%s%s", emit_identifier(arena, root->name->text), options->family);
}

const char *emit_entry_symbol(Arena *arena, const EmitOptions *options, const Root *root,
                              const Entry *entry) {
    const char *symbol = emit_symbol(arena, entry->symbol);
    const char *prefix = emit_identifier(arena, root->name->text);
    if (!*options->family) return symbol;
    size_t length = strlen(prefix);
    if (strncmp(symbol, prefix, length)) length = strlen(symbol);
    return arena_printf(arena, "%.*s%s%s", (int)length, symbol, options->family, symbol + length);
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
            bool ends = p[0] == '*' && p[1] == '/', begins = p[0] == '/' && p[1] == '*';
            bool trigraph = p[0] == '?' && p[1] == '?';
            if (ends || begins || trigraph) text_char(out, ' ');
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

void emit_entry_signature(Text *out, const EmitOptions *options, const Root *root,
                          const EntryNames *names) {
    const Entry *e = names->entry;
    text_printf(out, "int %s(nnc%s_context *ctx", emit_entry_symbol(out->arena, options, root, e),
                options->family);
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
