# Hostile programs: work at compile time without end, sizes that overflow, wrong shapes, hostile modules and files.
. "$SOURCE_DIR/tests/adversarial.bash"
value() { printf 'a = %s\ndef f(x: f32[N]) -> f32[N] { return x * a }\nexport f\n' "$1"; }
tensor() { printf 'def f(x: f32[%s]) -> %s { return %s }\nexport f\n' "$1" "${3:-f32[N]}" "$2"; }
module() { printf 'module M {\n%s\n}\nexport M() as m\n' "$1"; }

# ---- work and memory at compile time ----
# Graphs and modules may take as much memory as a large model needs: where the machine has less, that is said.
value "[i for i in range(2**62)]" | refuse range_of_2_to_62 1 "NN0404"
value "len(range(-2**62, 2**62))" | refuse range_of_2_to_63 1 "NN04"
value "range(0, 10, 0)" | refuse range_step_zero 1 "NN0"
value "list(range(10**9))" | refuse list_of_range 1 "NN0404"
value "sum(range(10**9))" | refuse sum_of_range 1 "NN04"
value "[[j for j in range(10**5)] for i in range(10**5)]" | refuse comprehension_bomb 1 "NN0404"
value "[a for a in range(10**4) for b in range(10**4) for c in range(10**4)]" | refuse clauses_bomb 1 "NN0404"
value "'x' * 2**40" | refuse string_bomb 1 "NN04"
value "'x' * 2**62" | refuse string_overflow 1 "NN04"
value "[0] * 2**40" | refuse list_bomb 1 "NN04"
value "(0,) * 2**62 * 8" | refuse tuple_overflow 1 "NN04"
printf 'a = "x"\n%s\nexport a' "$(for i in $(seq 60); do echo 'a = a + a'; done)" | refuse string_doubling 1 "NN04"
printf 'a = [1]\n%s\nexport a' "$(for i in $(seq 60); do echo 'a = a + a'; done)" | refuse list_doubling 1 "NN04"
printf 'a = [1]\n%s\nassert a == 3, "{a}"' "$(for i in $(seq 60); do echo 'a = [a, a]'; done)" | refuse nested_doubling 1 "NN0"
printf 'a = [1]\nfor i in range(100000) { a = [a] }\nassert a == [a], "{a}"' | refuse loop_outside 1 "NN0"
module "a = [1]
for i in range(100000) { a = [a] }
assert a == [[a]], 'no'" | refuse deep_list_compared 1 "NN0405"
module "a = [1]
a.append(a)
b = [1]
b.append(b)
assert a == b, 'no'" | refuse list_in_itself_compared 1 "NN0405"
module "a = [1]
a.append(a)
assert isinstance(3, a), '{a}'" | refuse list_in_itself_printed 1 "NN0406"
module "a = [1]
a.append(a)
self.l = nn.ModuleList(a)" | refuse list_in_itself_of_modules 1 "NN0"
module "a = [1]
a.append(a)
b = sorted([a, [1, a]])
self.x = nn.Parameter(a)" | refuse list_in_itself_sorted 1 "NN0"
printf 'def f(n) { return f(n) }\na = f(1)\n' | refuse endless_recursion 1 "NN0405"
printf 'def f(n) { return f(n - 1) + f(n - 2) if n > 0 else 1 }\na = f(80)\n' | refuse fibonacci 1 "NN0404"
printf 'def f(n) { return g(n) }\ndef g(n) { return f(n) }\na = f(1)\n' | refuse endless_pair 1 "NN0405"
printf 'def f(x: f32[N]) -> f32[N] {\nfor i in range(10**12) { x = x + 1 }\nreturn x }\nexport f' | refuse loop_in_graph 1 "NN0404"
printf 'def f(x: f32[N]) -> f32[N] {\nfor i in range(10**12) { pass }\nreturn x }\nexport f' | refuse empty_loop 1 "NN0404"
printf 'def f(x: f32[N]) -> f32[N] { return f(x) }\nexport f' | refuse endless_tensor_function 1 "NN0405"
tensor "N, 100000" "x.unbind(1)[0]" | refuse unbind_of_100000 1 "NN0404"
module "self.m = M()" | refuse module_in_itself 1 "NN0405"
printf 'module A { self.b = B() }\nmodule B { self.a = A() }\nexport A() as a' | refuse modules_in_each_other 1 "NN0405"
module "self.l = [nn.Linear(2, 2) for i in range(10**9)]" | refuse modules_without_end 1 "NN0"
{
    echo 'module M0 { self.l = nn.Linear(2, 2)'
    echo 'def forward(self, x: f32[N, 2]) -> f32[N, 2] { return self.l(x) } }'
    for i in $(seq 40); do
        echo "module M$i { self.a = M$((i - 1))(); self.b = M$((i - 1))()"
        echo "def forward(self, x: f32[N, 2]) -> f32[N, 2] { return self.b(self.a(x)) } }"
    done
    echo 'export M40() as m'
} | refuse modules_double_40_times 1 "NN0404"
{
    echo 'def f0(x) { return x + 1 }'
    for i in $(seq 60); do echo "def f$i(x) { return f$((i - 1))(f$((i - 1))(x)) }"; done
    echo 'def g(x: f32[N]) -> f32[N] { return f60(x) }'
    echo 'export g'
} | refuse functions_double_60_times 3 "out of memory"
value "[1, 2].append(3)" | refuse method_of_list 1 "NN0"
value "{'a': 1}" | refuse dict_outside 1 "NN0112"
printf 'a = a\n' | refuse name_of_itself 1 "NN0301"
value "sorted([1, 'x'])" | refuse sort_of_mixture 1 "NN0"
value "max([])" | refuse maximum_of_nothing 1 "NN0"
value "[1, 2][2]" | refuse index_past_end 1 "NN0412"
value "[1, 2][-9223372036854775807 - 1]" | refuse index_of_minimum 1 "NN0412"
value "[1, 2][::0]" | refuse slice_step_zero 1 "NN0"
value "'abc'[9223372036854775807:]" | refuse slice_of_maximum 1 "NN0"
printf 'a, b = 1, 2, 3\n' | refuse unpack_too_many 1 "NN0411"
printf 'a, *b, *c = [1, 2]\n' | refuse two_stars 1 "NN0"
printf 'assert False, "{a.b.c(" * 1000\n' | refuse message_of_braces 1 "NN0"

# ---- sizes ----
tensor "4294967296, 4294967296" "x" "f32[4294967296, 4294967296]" | refuse dims_2_to_64 1 "NN0611"
tensor "9223372036854775807" "x" "f32[9223372036854775807]" | refuse dim_of_maximum 1 "NN0611"
tensor "9223372036854775808" "x" "f32[1]" | refuse dim_of_2_to_63 1 "NN0105"
tensor "0, 9223372036854775807, 9223372036854775807" "x" "f32[0]" | refuse zero_among_large 1 "NN0"
tensor "-1" "x" "f32[-1]" | refuse negative_dim 1 "NN0"
tensor "2**70" "x" "f32[1]" | refuse dim_of_tower 1 "NN0"
tensor "N // 0" "x" "f32[N]" | refuse dim_by_zero 1 "NN0"
tensor "N" "x + zeros(2**46)" | refuse zeros_large 1 "NN0"
tensor "N" "zeros(2**31, 2**31, 2**31).sum() + x" | refuse zeros_overflow 1 "too large"
tensor "N" "zeros(-1) + x" | refuse zeros_negative 1 "NN0"
tensor "N" "x.view(0, -1)" | refuse view_zero_and_unknown 1 "NN0"
tensor "N" "x.view(-1, -1)" | refuse view_two_unknown 1 "NN0"
tensor "N" "x.view(-2)" | refuse view_minus_two 1 "NN0"
tensor "N" "x.expand(2**62, 2**62)" | refuse expand_overflow 1 "NN0"
tensor "N" "x.repeat(2**40, 2**40)" | refuse repeat_overflow 1 "NN0"
tensor "2, 3" "x.max(1)[0][:, None, None, None, None, None, None, None, None, None]" | refuse rank_ten 1 "NN0"
tensor "N" "arange(0, 2**62, 1)" | refuse arange_large 1 "NN0"
tensor "N" "arange(0, 1, 0)" | refuse arange_step_zero 1 "NN0"
tensor "N" "F.pad(x, (2**62, 2**62))" | refuse pad_overflow 1 "NN0"
tensor "N, 4" "F.one_hot(x.long(), 2**62)" | refuse one_hot_large 1 "NN0"
module "self.c = nn.Conv2d(2**31, 2**31, 2**31)
def forward(self, x: f32[N, C, H, W]) -> f32[N, C, H, W] { return x }" | refuse conv_overflow 1 "NN0611"
module "self.l = nn.Linear(0, 0)
def forward(self, x: f32[N, 0]) -> f32[N, 1] { return self.l(x) }" | refuse linear_of_nothing 1 "NN0"
module "self.l = nn.Linear(-3, 4)
def forward(self, x: f32[N, 4]) -> f32[N, 4] { return x }" | refuse linear_negative 1 "NN0"
module "self.c = nn.Conv2d(1, 1, 3, stride=0)
def forward(self, x: f32[N, 1, 8, 8]) -> f32[N, 1, 8, 8] { return self.c(x) }" | refuse stride_zero 1 "NN0"
module "self.c = nn.Conv2d(1, 1, 3, stride=-1)
def forward(self, x: f32[N, 1, 8, 8]) -> f32[N, 1, 8, 8] { return self.c(x) }" | refuse stride_negative 1 "NN0"
module "self.c = nn.Conv2d(1, 1, 3, dilation=2**62)
def forward(self, x: f32[N, 1, 8, 8]) -> f32[N, 1, 8, 8] { return self.c(x) }" | refuse dilation_overflow 1 "NN0"
module "self.c = nn.Conv2d(1, 1, 0)
def forward(self, x: f32[N, 1, 8, 8]) -> f32[N, 1, 9, 9] { return self.c(x) }" | refuse kernel_zero 1 "NN0"
module "self.c = nn.Conv2d(1, 1, 3, groups=0)
def forward(self, x: f32[N, 1, 8, 8]) -> f32[N, 1, 8, 8] { return self.c(x) }" | refuse groups_zero 1 "NN0"
module "self.p = nn.MaxPool2d(0)
def forward(self, x: f32[N, 1, 8, 8]) -> f32[N, 1, 8, 8] { return self.p(x) }" | refuse pool_zero 1 "NN0"
module "self.e = nn.Embedding(2**40, 2**40)
def forward(self, x: i64[N]) -> f32[N, 1099511627776] { return self.e(x) }" | refuse embedding_overflow 1 "NN0611"
printf 'def f(x: f32[0]) -> f32 { return x.max() }\nexport f' | refuse maximum_of_zero_elements 1 "NN0"
printf 'def f(x: f32[N, 0]) -> i64[N] { return x.argmax(1) }\nexport f' | refuse argmax_of_zero_elements 1 "NN0"
printf 'def f(x: f32[0, 4]) -> f32[0, 2] { return x @ zeros(3, 2) }\nexport f' | refuse product_of_zero_rows 1 "NN0"
# Dims that only a call knows: one is short as a graph, and written out it doubles with every step.
made() { printf 'def f(x: f32[N, M]) -> f32[K] {\nn, m = x.shape\n%s\n}\nexport f\n' "$1"; }
made "for i in range(100) { n = (n * 3 + 1) // 2 }
return ones(n)" | refuse floors_double 1 "NN0407"
made "for i in range(100) { n = (n * 3 + i) // (i + 2) + n }
return ones(n)" | refuse floors_and_sums_double 1 "NN0407"
made "for i in range(100) { n = max(n * 2, (n + m) // 3) }
return ones(n)" | refuse maxima_double 1 "NN0407"
made "for i in range(20) { n = n ** 8 }
return ones(n)" | refuse power_of_a_dim 1 "NN0407"
made "n = -(n * (-9223372036854775807 - 1))
return ones(n)" | refuse negated_dim_of_minimum 1 "NN0407"
made "for i in range(100) { x = F.avg_pool1d(torch.cat([x, x, x], 1), 2, 2, 1) }
return x.sum(0)" | refuse extents_double 1 "parts"
made "return ones(n * 1152921504606846975).sort()[0]" | refuse sort_of_2_to_60 1 "too large"
made "n = n * 1073741824
return (rand(n, n) @ rand(n, n)).sum(0)" | refuse product_of_2_to_60 1 "too large"
made "n = n * 2147483648
return rand(n, n).softmax(1).cumsum(0).sum(0)" | refuse sums_of_2_to_62 1 "too large"

# ---- shapes, names, types ----
tensor "A, B" "x + x.view(B, A)" "f32[A, B]" | refuse shapes_disagree 1 "NN0"
tensor "2, 3" "x @ x" "f32[2, 3]" | refuse product_disagrees 1 "NN06"
tensor "N" "x[5, 5]" "f32" | refuse index_of_two 1 "NN0604"
tensor "3" "x[3]" "f32" | refuse tensor_index_past_end 1 "NN0"
tensor "N" "x.sum(7)" | refuse axis_seven 1 "NN0603"
tensor "N" "x.sum(-9223372036854775807 - 1)" | refuse axis_of_minimum 1 "NN06"
tensor "N" "x.permute(0, 0)" | refuse permute_twice 1 "NN06"
tensor "N" "x.frobnicate()" | refuse unknown_method 1 "NN0302"
tensor "N" "F.rleu(x)" | refuse unknown_function 1 "NN0302"
tensor "N" "y" | refuse unknown_name 1 "NN0301"
tensor "N" "x if x else x" | refuse condition_on_tensor 1 "NN0401"
tensor "N" "torch.einsum('ij,jk->ik', x, x)" | refuse einsum_of_vectors 1 "NN0"
tensor "N" "torch.einsum('$(repeat a 5000)->a', x)" | refuse einsum_5000 1 "NN0"
tensor "N" "torch.einsum('->->', x)" | refuse einsum_arrows 1 "NN0"
tensor "N" "torch.einsum('i', x, x)" | refuse einsum_operands 1 "NN0"
tensor "N" "x.to(f99)" | refuse unknown_dtype 1 "NN0301"
printf 'def f(x: f99[N]) -> f32[N] { return x }\nexport f' | refuse unknown_dtype_word 1 "NN0"
printf 'export g\n' | refuse export_of_nothing 1 "NN0301"
printf 'export 3 as three\n' | refuse export_of_number 1 "NN0101"
printf 'def f(x) { return x }\nexport f\n' | refuse export_without_types 1 "NN0801"
printf 'def f(x: f32[N]) -> f32[N] { return x }\nexport f as a_b\nexport f as a_b' | refuse export_twice 1 "NN0"
printf 'def f(x: f32[N]) -> f32[N] { return x }\nexport f as A\ntrain A { def step(self, x: f32[N]) -> f32 { return x.sum() } }' | refuse block_and_export 1 "NN0"
printf 'module M { param w: f32[2] = 0; param w: f32[2] = 0 }\nexport M() as m' | refuse parameter_twice 1 "NN0502"
printf 'train T { def step(self, x: f32[N]) -> f32 { loss = x.sum(); loss.backward(); return loss } }' | refuse nothing_to_train 1 "NN0702"
printf 'module M { self.x = 1\n def forward(self, x: f32[N]) -> f32[N] { self.y = x; return x } }\nexport M() as m' | refuse member_in_forward 1 "NN0502"

# ---- files that import ----
printf 'import "cycle_b.nn" as b\n' >cycle_a.nn
printf 'import "cycle_c.nn" as c\n' >cycle_b.nn
printf 'import "cycle_a.nn" as a\n' | refuse cycle_c 1 "NN0902"
printf 'import "self_import.nn" as s\n' | refuse self_import 1 "NN0902"
for i in $(seq 2000); do printf 'import "deep_%d.nn" as d\nexport d.x' $((i + 1)) >deep_$i.nn; done
printf 'import "deep_1.nn" as d\nexport d.x\n' | refuse imports_2000_deep 1 "NN0"
printf 'import "%s" as d\n' "$(repeat a/ 5000)" | refuse import_path_long 1 "NN0901"
printf 'import "/" as d\n' | refuse import_of_root 1 "NN0901"
printf 'import "." as d\n' | refuse import_of_folder 1 "NN0901"
printf 'import "" as d\n' | refuse import_of_nothing 1 "NN0901"
printf 'import "a\\x00b" as d\n' | refuse import_with_zero 1 "NN0106"
printf 'import "/dev/zero" as d\n' | refuse import_without_end 1 "NN0901"
printf '\xff' >bytes.nn
printf 'import "bytes.nn" as b\nexport b.f' | refuse import_of_bytes 1 "NN0102"
printf 'def f(x: f32[N] -> f32[N] { return x }' >broken.nn
printf 'import "broken.nn" as b\nexport b.f' | refuse import_of_broken 1 "NN01"
printf 'from "broken.nn" import f, g, h\nexport f' | refuse names_of_broken 1 "NN01"
printf 'a = 1' >good.nn
printf 'from "good.nn" import b\nexport b' | refuse name_not_there 1 "NN0903"
finish
