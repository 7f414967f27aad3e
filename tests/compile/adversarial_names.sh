# Hostile names, texts and paths that are valid: they compile, their C has no warning, their header is C++ too.
. "$SOURCE_DIR/tests/adversarial.bash"
strict="-Wall -Wextra -Wpedantic -Werror -Wno-psabi -Wtrigraphs"
command -v gcc >/dev/null || { echo "no gcc"; exit 77; }

# accept NAME: standard input is NAME.nn, which must compile to clean C and a header for C++.
accept() {
    local name=$1
    cat >"$name.nn"
    attempt "$name" 0 "" "$NNC" "$name.nn" -o "$name.c"
    [ -e "$name.c" ] || return
    printf '#include "%s.h"\n' "$name" >header.cpp
    {
        # shellcheck disable=SC2086
        gcc -std=c99 $strict -fsyntax-only "$name.c" && g++ -std=c++11 $strict -fsyntax-only header.cpp &&
            g++ -std=c++20 $strict -fsyntax-only header.cpp &&
            gcc -std=c99 $strict -fsyntax-only -x c header.cpp
    } >said 2>&1 || complain "$name: the C compiler refuses"
}

# One program for each list of names: as parameters, members, arguments, results, entries, dims, modules.
words() {
    echo "module Words {"
    for word in $1; do echo "    param $word: f32[2] = 1"; done
    printf '    def forward(self, x: f32[N, 2]) -> f32[N, 2] { return x'
    for word in $1; do printf ' + self.%s' "$word"; done
    echo ' }'
    echo '}'
    echo 'export Words() as words'
    for word in $1; do
        printf 'def use_%s(%s: f32[A_%s, 3]) -> (%s: f32[A_%s, 3]) { return %s + 1 }\n' "$word" "$word" "$word" "$word" "$word" "$word"
        printf 'export use_%s as %s\n' "$word" "$word"
    done
}
words "main int_ auto_ tanhf exp expf sqrt fabs malloc free printf memcpy memset abort exit errno NULL EOF" | accept c_names
words "double float char short long unsigned signed void struct union enum typedef static extern" | accept c_keywords
words "auto register volatile const goto switch case default do sizeof inline restrict" | accept more_c_keywords
words "class_ namespace template typename new delete this virtual operator friend private public protected" | accept cpp_keywords
words "using explicit export_ mutable throw catch nullptr constexpr decltype noexcept bool wchar_t" | accept more_cpp_keywords
words "and_eq bitand bitor compl not_eq or_eq xor xor_eq asm typeof alignas alignof thread_local" | accept alternative_operators
words "co_await co_return concept requires char8_t consteval static_assert final override" | accept newer_cpp_keywords
words "size_t int64_t uint8_t ptrdiff_t INT64_MAX INFINITY NAN M_PI stdin stdout stderr FILE linux unix i386" | accept macros
words "nnc nnc_context NNC_OK nnc_models args ctx inputs out dims workspace weights state prepared result" | accept own_names
words "_ __ ___a _A __LINE__ __FILE__ a__b a_b A_B aB Ab x1 x_1 x1_" | accept underscores
words "word words_ words_h init_ init step forward self_ train_ export_it" | accept names_of_the_header
{ printf 'def f(x: f32[N]) -> f32[N] { return x }\nexport f as '; repeat x 255; echo; } | accept name_of_255
number=0
for file in main 1number a-b 'a b' 'a"b' "a'b" 'a%sb' 'a??b' 'a\b' 'a*b' $'a\nb' $'\xc3\xa9' class .hidden 'a=b' -x; do
    printf '## a file\ndef f(x: f32[N]) -> f32[N] { return x }\nexport f\n' >"./$file.nn"
    number=$((number + 1))
    attempt "file_name_$number" 0 "" "$NNC" "./$file.nn" -o out.c
    printf '#include "out.h"\n' >header.cpp
    # shellcheck disable=SC2086
    { gcc -std=c99 $strict -fsyntax-only out.c && g++ -std=c++11 $strict -fsyntax-only header.cpp; } >said 2>&1 ||
        complain "file_name_$number: the C compiler refuses"
    case $file in
    *[\"\\]* | *$'\n'*) attempt "output_name_$number" 2 'cannot be the name of a header' "$NNC" "./$file.nn" ;;
    *) attempt "output_name_$number" 0 "" "$NNC" "./$file.nn" ;;
    esac
done

# doc TEXT: a program whose every comment that travels into C holds the text.
doc() {
    printf '## file %s\n\n' "$1"
    printf '## module %s\nmodule M {\n    ## parameter %s\n    param w: f32[2] = 1\n' "$1" "$1"
    printf '    ## forward %s\n    def forward(self, x: f32[N, 2]) -> (y: f32[N, 2]) { return x * self.w } # %s\n}\n' "$1" "$1"
    printf '## export %s\nexport M() as m\n' "$1"
    printf 'def g(x: f32[N]) -> f32[N] where N %% 2 == 0 {\n    """doc %s """\n    assert True, "%s "\n    return x }\nexport g\n' "${1//\"/}" "${1//\"/}"
}
doc '*/ int main(void) { /*' | accept end_of_comment
doc '/* // /* */ */' | accept comments_in_comments
doc 'a backslash at the end \' | accept trailing_backslash
doc 'a trigraph ??/' | accept trailing_trigraph
doc '??( ??) ??< ??> ??! ??= ??- ??'"'" | accept trigraphs
doc '%s %n %d %%' | accept percent_signs
doc '"quotes" '"'"'and'"'"' \\n \\" ' | accept quotes
doc '#include <stdio.h> #define x y #error' | accept directives
doc 'é 中 😀 ÿ' | accept non_ascii
doc $'tab\there' | accept tabs
doc '\\u00e9 \\x41 \\N{x} \\777' | accept escapes
doc '{x} {{y}} ${z} `w`' | accept braces
doc "$(repeat x 4000)" | accept long_comment
doc '_Pragma("x") __attribute__((x)) \' | accept pragmas
doc "$(printf '\xe2\x80\xa8 \xe2\x80\xa9 \xc2\x85')" | accept line_separators
doc 'a \   ' | accept backslash_and_spaces
printf '\xef\xbb\xbfdef f(x: f32[N]) -> f32[N] { return x }\nexport f\n' | accept byte_order_mark
printf 'def f(x: f32[N]) -> f32[N] {\r\n    return x +\\\r\n 1\r\n}\r\nexport f\r\n' | accept windows_lines
printf '## a\rdef f(x: f32[N]) -> f32[N] {\r    return x\r}\rexport f\r' | accept old_mac_lines
printf 'def f(x: f32[N]) -> f32[N] { return x }\nexport f' | accept no_last_newline
printf 'def f(x: f32[N, 0]) -> (a: f32[N], b: f32[0], c: f32[N, 0]) { return x.sum(1), x.sum(0), x * 2 }\nexport f\n' | accept zero_dims
printf 'module M { buffer e: f32[0] = 0\n param w: f32[0, 3] = 0\n def forward(self, x: f32[N, 0]) -> f32[N, 3] { return x @ self.w + self.e.sum() } }\nexport M() as m\n' | accept zero_weights
printf 'def f(x: f32[N]) -> f32[N] { return x * 1e-45 + 1e38 - 3.4028234663852886e38 + float("inf") * 0 + float("nan") }\nexport f\n' | accept extreme_floats
printf 'def f(x: i64[N]) -> i64[N] { return (x + 9223372036854775807) * (-9223372036854775807 - 1) }\nexport f\n' | accept extreme_integers
printf 'def f(x: i32[N]) -> i32[N] { return x // 0 + x %% 0 }\nexport f\n' | accept integer_division_by_zero
finish
