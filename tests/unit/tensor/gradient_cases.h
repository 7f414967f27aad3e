/* Graphs in textual IR whose derivatives the tests compare with central differences.
 *
 * Every float input is drawn from [low, high); ids are literal.  The values stay away from points
 * where a derivative does not exist. */
#ifndef TESTS_UNIT_TENSOR_GRADIENT_CASES_H
#define TESTS_UNIT_TENSOR_GRADIENT_CASES_H

typedef struct GradientCase {
    const char *name;
    double low, high;
    const char *text;
} GradientCase;

static const GradientCase gradient_cases[] = {
    /* index maps */
    {"identity and casts", -2, 2,
     "%x: f64[2, 3] = input x\n%i = identity %x\n%c: f32[2, 3] = cast %i\n"
     "%d: f64[2, 3] = cast %c\n%y = sin %d\nreturn %y\n"},
    {"reshape", -2, 2,
     "%x: f64[4, 3] = input x\n%r: f64[2, 6] = reshape %x\n%y = tanh %r\nreturn %y\n"},
    {"permute", -2, 2,
     "%x: f64[4, 3, 2] = input x\n%r = permute %x axes=[2, 0, 1]\n%y = sin %r\nreturn %y\n"},
    {"expand, new and stretched", -2, 2,
     "%x: f64[3, 1, 2] = input x\n%r: f64[4, 3, 5, 2] = expand %x axes=[1, 2, 3]\n"
     "%w: f64[4, 3, 5, 2] = input w\n%y = mul %r, %w\nreturn %y\n"},
    {"expand to no elements", -2, 2,
     "%x: f64[3] = input x\n%r: f64[0, 3] = expand %x axes=[1]\n%y = sin %r\nreturn %y\n"},
    {"slice", -2, 2,
     "%x: f64[7, 5] = input x\n%r: f64[3, 2] = slice %x begin=[2, 1] step=[1, 2]\n"
     "%y = sin %r\nreturn %y\n"},
    {"slice with steps backwards", -2, 2,
     "%x: f64[7, 5, 9] = input x\n%r: f64[7, 2, 3] = slice %x begin=[6, 3, 8] step=[-1, -2, -3]\n"
     "%y = sin %r\nreturn %y\n"},
    {"slice with a step past the end", -2, 2,
     "%x: f64[8] = input x\n%r: f64[3] = slice %x begin=[1] step=[3]\n%y = sin %r\nreturn %y\n"},
    {"empty slice", -2, 2,
     "%x: f64[4] = input x\n%r: f64[0] = slice %x begin=[2] step=[1]\n%y = sin %r\nreturn %y\n"},
    {"pad", -2, 2,
     "%x: f64[2, 3] = input x\n%f: f64 = input f\n%r = pad %x, %f low=[1, 2] high=[0, 1]\n"
     "%y = sin %r\nreturn %y\n"},
    {"negative pad", -2, 2,
     "%x: f64[4, 5] = input x\n%f: f64 = input f\n%r = pad %x, %f low=[-1, 2] high=[1, -3]\n"
     "%y = sin %r\nreturn %y\n"},
    {"concat with a repeated input", -2, 2,
     "%x: f64[2, 3] = input x\n%z: f64[2, 0] = input z\n%w: f64[2, 2] = input w\n"
     "%r = concat %x, %z, %w, %x axis=1\n%y = sin %r\nreturn %y\n"},
    {"unfold", -2, 2,
     "%x: f64[2, 9] = input x\n%r = unfold %x axis=1 size=3 stride=2 dilation=1\n"
     "%y = sin %r\nreturn %y\n"},
    {"unfold, dilated", -2, 2,
     "%x: f64[9, 2] = input x\n%r = unfold %x axis=0 size=3 stride=1 dilation=3\n"
     "%y = sin %r\nreturn %y\n"},
    {"fold", -2, 2,
     "%x: f64[2, 4, 3] = input x\n%r = fold %x axis=1 extent=10 stride=2 dilation=1\n"
     "%y = sin %r\nreturn %y\n"},
    {"fold without overlap", -2, 2,
     "%x: f64[3, 4, 2] = input x\n%r = fold %x axis=0 extent=6 stride=2 dilation=1\n"
     "%y = sin %r\nreturn %y\n"},
    /* reductions */
    {"sums", -2, 2,
     "%x: f64[2, 3, 4] = input x\n%s = sin %x\n%r = reduce %s kind=sum axes=[0, 2]\n"
     "%y = mul %r, %r\nreturn %y\n"},
    {"product of one axis", -2, 2,
     "%x: f64[3, 4] = input x\n%y = reduce %x kind=prod axes=[1]\nreturn %y\n"},
    {"product of two axes", -2, 2,
     "%x: f64[3, 2, 2] = input x\n%y = reduce %x kind=prod axes=[0, 2]\nreturn %y\n"},
    {"product of nothing", -2, 2,
     "%x: f64[3, 0] = input x\n%y = reduce %x kind=prod axes=[1]\nreturn %y\n"},
    {"product with zeros", -2, 2,
     "%x: f64[2, 3] = input x\n%m: f64[2, 3] = const [1.0, 0.0, 1.0, 0.0, 1.0, 0.0]\n"
     "%z = mul %x, %m\n%y = reduce %z kind=prod axes=[1]\nreturn %y\n"},
    {"max and min", -2, 2,
     "%x: f64[3, 4] = input x\n%a = reduce %x kind=max axes=[0]\n%b = reduce %x kind=min axes=[0]\n"
     "%s = sin %b\n%y = mul %a, %s\nreturn %y\n"},
    {"prefix sum", -2, 2,
     "%x: f64[2, 4] = input x\n%p = prefix %x kind=sum axis=1 reverse\n%y = sin %p\nreturn %y\n"},
    {"prefix product", -2, 2,
     "%x: f64[4, 2] = input x\n%y = prefix %x kind=prod axis=0\nreturn %y\n"},
    {"prefix product, reversed", -2, 2,
     "%x: f64[2, 4] = input x\n%y = prefix %x kind=prod axis=1 reverse\nreturn %y\n"},
    {"prefix product with zeros", -2, 2,
     "%x: f64[5] = input x\n%m: f64[5] = const [1.0, 0.0, 1.0, 0.0, 1.0]\n%z = mul %x, %m\n"
     "%y = prefix %z kind=prod axis=0\nreturn %y\n"},
    {"prefix max", -2, 2,
     "%x: f64[2, 5] = input x\n%p = prefix %x kind=max axis=1\n%y = sin %p\nreturn %y\n"},
    {"prefix min, reversed", -2, 2,
     "%x: f64[5, 2] = input x\n%p = prefix %x kind=min axis=0 reverse\n%y = sin %p\nreturn %y\n"},
    /* contractions */
    {"matrix product", -2, 2,
     "%a: f64[3, 4] = input a\n%b: f64[4, 5] = input b\n%y = contract %a, %b labels=ab,bc->ac\n"
     "return %y\n"},
    {"batched product, transposed result", -2, 2,
     "%a: f64[2, 3, 4] = input a\n%b: f64[2, 5, 4] = input b\n"
     "%y = contract %a, %b labels=abc,adc->dab\nreturn %y\n"},
    {"labels summed on one side", -2, 2,
     "%a: f64[2, 3, 4] = input a\n%b: f64[5, 4, 2] = input b\n"
     "%y = contract %a, %b labels=abc,dca->c\nreturn %y\n"},
    {"product with itself", -2, 2,
     "%a: f64[3, 4] = input a\n%y = contract %a, %a labels=ab,cb->ac\nreturn %y\n"},
    {"outer product and scalar", -2, 2,
     "%a: f64[3] = input a\n%b: f64 = input b\n%o = contract %a, %a labels=a,b->ab\n"
     "%y = contract %o, %b labels=ab,->ba\nreturn %y\n"},
    {"product over nothing", -2, 2,
     "%a: f64[3, 0] = input a\n%b: f64[0, 2] = input b\n%y = contract %a, %b labels=ab,bc->ac\n"
     "return %y\n"},
    {"convolution", -2, 2,
     "%x: f64[2, 2, 5, 4] = input x\n%w: f64[3, 2, 3, 2] = input w\n%f: f64 = const 0.0\n"
     "%p = pad %x, %f low=[0, 0, 1, 0] high=[0, 0, 1, 0]\n"
     "%u = unfold %p axis=2 size=3 stride=2 dilation=1\n"
     "%v = unfold %u axis=3 size=2 stride=1 dilation=2\n"
     "%y = contract %v, %w labels=abcdef,gbef->agcd\nreturn %y\n"},
    {"pooling of a convolution", -2, 2,
     "%x: f64[1, 1, 4, 4] = input x\n%w: f64[2, 1, 1, 1] = input w\n"
     "%u = unfold %x axis=2 size=1 stride=1 dilation=1\n"
     "%v = unfold %u axis=3 size=1 stride=1 dilation=1\n"
     "%c = contract %v, %w labels=abcdef,gbef->agcd\n%t = tanh %c\n"
     "%a = unfold %t axis=2 size=2 stride=2 dilation=1\n"
     "%b = unfold %a axis=3 size=2 stride=2 dilation=1\n"
     "%y = reduce %b kind=max axes=[4, 5]\nreturn %y\n"},
    /* indexing */
    {"gather", -2, 2,
     "%x: f64[4, 3] = input x\n%i: i64[2, 3] = const [3, 0, 0, 1, 3, 3]\n"
     "%g = gather %x, %i batch=0\n%y = sin %g\nreturn %y\n"},
    {"gather in batches", -2, 2,
     "%x: f64[2, 4, 3] = input x\n%i: i64[2, 3] = const [3, 0, 0, 1, 3, 3]\n"
     "%g = gather %x, %i batch=1\n%y = sin %g\nreturn %y\n"},
    {"scatter_add", -2, 2,
     "%x: f64[2, 4] = input x\n%u: f64[2, 3] = input u\n%i: i64[2, 3] = const [3, 0, 0, 1, 2, 2]\n"
     "%g = scatter_add %x, %i, %u batch=1\n%y = sin %g\nreturn %y\n"},
    {"scatter_set, several to one place", -2, 2,
     "%x: f64[2, 4, 2] = input x\n%u: f64[2, 3, 2] = input u\n"
     "%i: i64[2, 3] = const [3, 0, 0, 2, 2, 2]\n%g = scatter_set %x, %i, %u batch=1\n"
     "%y = sin %g\nreturn %y\n"},
    {"scatter_set of a matrix of rows", -2, 2,
     "%x: f64[5, 2] = input x\n%u: f64[2, 2, 2] = input u\n%i: i64[2, 2] = const [4, 1, 4, 0]\n"
     "%g = scatter_set %x, %i, %u batch=0\n%y = sin %g\nreturn %y\n"},
    {"dynamic slice, clamped", -2, 2,
     "%x: f64[3, 5] = input x\n%i: i64 = const 4\n%g = dynamic_slice %x, %i axis=1 extent=2\n"
     "%y = sin %g\nreturn %y\n"},
    {"dynamic update", -2, 2,
     "%x: f64[5, 2] = input x\n%u: f64[2, 2] = input u\n%i: i64 = const 1\n"
     "%g = dynamic_update %x, %u, %i axis=0\n%y = sin %g\nreturn %y\n"},
    {"sorting", -2, 2,
     "%x: f64[2, 5] = input x\n%i = argsort %x axis=1 descending\n%g = gather %x, %i batch=1\n"
     "%y = prefix %g kind=sum axis=1\n%z = sin %y\nreturn %z\n"},
    {"select", -2, 2,
     "%x: f64[2, 5] = input x\n%w: f64[2, 5] = input w\n%c = lt %x, %w\n%s = sin %x\n"
     "%y = select %c, %s, %w\nreturn %y\n"},
    {"masked by draws", -2, 2,
     "%x: f64[3, 4] = input x\n%r: f64[3, 4] = random site=7\n%h: f64[3, 4] = const 0.5\n"
     "%c = lt %r, %h\n%s = mul %x, %x\n%z: f64[3, 4] = const 0.0\n%y = select %c, %s, %z\n"
     "return %y\n"},
    /* compositions */
    {"softmax and cross entropy", -2, 2,
     "%x: f64[3, 4] = input x\n%m = reduce %x kind=max axes=[1]\n%me: f64[3, 4] = expand %m "
     "axes=[0]\n"
     "%d = sub %x, %me\n%e = exp %d\n%s = reduce %e kind=sum axes=[1]\n%l = log %s\n"
     "%le: f64[3, 4] = expand %l axes=[0]\n%p = sub %d, %le\n%i: i64[3] = const [2, 0, 2]\n"
     "%g = gather %p, %i batch=1\n%t = reduce %g kind=sum axes=[0]\n%y = neg %t\nreturn %y\n"},
    {"layer norm", -2, 2,
     "%x: f64[2, 5] = input x\n%w: f64[5] = input w\n%n: f64[2] = const 5.0\n"
     "%s = reduce %x kind=sum axes=[1]\n%mu = div %s, %n\n%me: f64[2, 5] = expand %mu axes=[0]\n"
     "%d = sub %x, %me\n%q = mul %d, %d\n%v = reduce %q kind=sum axes=[1]\n%va = div %v, %n\n"
     "%eps: f64[2] = const 0.1\n%ve = add %va, %eps\n%r = rsqrt %ve\n"
     "%re: f64[2, 5] = expand %r axes=[0]\n%h = mul %d, %re\n%we: f64[2, 5] = expand %w axes=[1]\n"
     "%y = mul %h, %we\nreturn %y\n"},
    {"fan-out", -2, 2,
     "%x: f64[3] = input x\n%a = sin %x\n%b = mul %a, %x\n%c = add %b, %a\n%d = mul %c, %b\n"
     "%e = add %d, %x\n%y = mul %e, %e\nreturn %y\n"},
    /* scans */
    {"scan, elementwise", -1, 1,
     "%h: f64[3] = input h\n%x: f64[4, 3] = input x\n%w: f64[3] = input w\n"
     "%s = scan %h, %x, %w carries=1 sequences=1 invariants=1 length=4 {\n"
     "%c: f64[3] = input c\n%e: f64[3] = input e\n%v: f64[3] = input v\n%p = mul %c, %v\n"
     "%q = add %p, %e\n%n = tanh %q\n%o = mul %n, %n\nreturn %n, %o\n}\n"
     "%a: f64[3] = proj %s index=0\n%b: f64[4, 3] = proj %s index=1\n"
     "%r = reduce %b kind=sum axes=[0]\n%y = mul %a, %r\nreturn %y\n"},
    {"scan backwards", -1, 1,
     "%h: f64[2] = input h\n%x: f64[3, 2] = input x\n"
     "%s = scan %h, %x carries=1 sequences=1 invariants=0 length=3 reverse {\n"
     "%c: f64[2] = input c\n%e: f64[2] = input e\n%p = mul %c, %e\n%n = sin %p\n"
     "return %n, %p\n}\n"
     "%b: f64[3, 2] = proj %s index=1\nreturn %b\n"},
    {"recurrent net", -1, 1,
     "%h: f64[2, 3] = input h\n%x: f64[4, 2, 2] = input x\n%u: f64[3, 2] = input u\n"
     "%w: f64[3, 3] = input w\n%bias: f64[3] = input bias\n"
     "%s = scan %h, %x, %u, %w, %bias carries=1 sequences=1 invariants=3 length=4 {\n"
     "%c: f64[2, 3] = input c\n%e: f64[2, 2] = input e\n%iu: f64[3, 2] = input iu\n"
     "%iw: f64[3, 3] = input iw\n%ib: f64[3] = input ib\n"
     "%ut = permute %iu axes=[1, 0]\n%a = contract %e, %ut labels=ab,bc->ac\n"
     "%b = contract %c, %iw labels=ab,cb->ac\n%ab = add %a, %b\n"
     "%be: f64[2, 3] = expand %ib axes=[1]\n%abc = add %ab, %be\n%n = tanh %abc\n"
     "return %n, %n\n}\n"
     "%f: f64[2, 3] = proj %s index=0\n%ys: f64[4, 2, 3] = proj %s index=1\n"
     "%r = reduce %ys kind=sum axes=[0]\n%y = mul %f, %r\nreturn %y\n"},
    {"scan with two carries, a counter and a mask", -1, 1,
     "%h: f64[2] = input h\n%g: f64[2] = input g\n%k: i64 = const 0\n%x: f64[3, 2] = input x\n"
     "%s = scan %h, %g, %k, %x carries=3 sequences=1 invariants=0 length=3 {\n"
     "%c: f64[2] = input c\n%d: f64[2] = input d\n%n: i64 = input n\n%e: f64[2] = input e\n"
     "%one: i64 = const 1\n%n1 = add %n, %one\n%nf: f64 = cast %n1\n"
     "%ne: f64[2] = expand %nf axes=[]\n%r: f64[2] = random site=3\n%t: f64[2] = const 0.7\n"
     "%m = lt %r, %t\n%ce = mul %c, %e\n%cd = mul %d, %ne\n%sum = add %ce, %cd\n"
     "%sel = select %m, %sum, %c\n%c1 = sin %sel\n%d1 = mul %c, %d\n"
     "return %c1, %d1, %n1, %d1\n}\n"
     "%a: f64[2] = proj %s index=0\n%b: f64[2] = proj %s index=1\n%o: f64[3, 2] = proj %s index=3\n"
     "%r2 = reduce %o kind=sum axes=[0]\n%ab = mul %a, %b\n%y = add %ab, %r2\nreturn %y\n"},
    {"scan that forgets its first carry", -1, 1,
     "%h: f64[2] = input h\n%x: f64[3, 2] = input x\n"
     "%s = scan %h, %x carries=1 sequences=1 invariants=0 length=3 {\n"
     "%c: f64[2] = input c\n%e: f64[2] = input e\n%k: f64[2] = const 0.25\n%p = mul %c, %e\n"
     "return %k, %p\n}\n"
     "%f: f64[2] = proj %s index=0\n%o: f64[3, 2] = proj %s index=1\n"
     "%r = reduce %o kind=sum axes=[0]\n%y = add %f, %r\nreturn %y\n"},
    {"scan of no steps", -1, 1,
     "%h: f64[2] = input h\n%x: f64[0, 2] = input x\n%w: f64[2] = input w\n"
     "%s = scan %h, %x, %w carries=1 sequences=1 invariants=1 length=0 {\n"
     "%c: f64[2] = input c\n%e: f64[2] = input e\n%v: f64[2] = input v\n%p = mul %c, %e\n"
     "%q = mul %p, %v\nreturn %q, %p\n}\n"
     "%f: f64[2] = proj %s index=0\n%y = sin %f\nreturn %y\n"},
    {"scan without carries", -1, 1,
     "%x: f64[3, 2, 2] = input x\n%w: f64[2, 2] = input w\n"
     "%s = scan %x, %w carries=0 sequences=1 invariants=1 length=3 {\n"
     "%e: f64[2, 2] = input e\n%v: f64[2, 2] = input v\n%p = contract %e, %v labels=ab,bc->ac\n"
     "return %p\n}\n"
     "%o: f64[3, 2, 2] = proj %s index=0\n%y = sin %o\nreturn %y\n"},
    {"scan in a scan", -1, 1,
     "%h: f64[2] = input h\n%x: f64[3, 2, 2] = input x\n%w: f64[2] = input w\n"
     "%s = scan %h, %x, %w carries=1 sequences=1 invariants=1 length=3 {\n"
     "%c: f64[2] = input c\n%e: f64[2, 2] = input e\n%v: f64[2] = input v\n"
     "%i = scan %c, %e, %v carries=1 sequences=1 invariants=1 length=2 {\n"
     "%ic: f64[2] = input ic\n%ie: f64[2] = input ie\n%iv: f64[2] = input iv\n"
     "%p = mul %ic, %iv\n%q = add %p, %ie\n%n = tanh %q\n%o = mul %n, %iv\nreturn %n, %o\n}\n"
     "%f: f64[2] = proj %i index=0\n%ys: f64[2, 2] = proj %i index=1\n"
     "%r = reduce %ys kind=sum axes=[0]\n%g = mul %f, %r\nreturn %f, %g\n}\n"
     "%a: f64[2] = proj %s index=0\n%b: f64[3, 2] = proj %s index=1\n"
     "%rb = reduce %b kind=sum axes=[0]\n%y = mul %a, %rb\nreturn %y\n"},
    {"call with its own derivative", -2, 2,
     "%x: f64[3] = input x\n%w: f64[3] = input w\n"
     "%c = call %x, %w name=f wrt=[0, 1] {\n"
     "%a: f64[3] = input a\n%b: f64[3] = input b\n%p = mul %a, %b\n%y = sin %p\nreturn %y\n"
     "} vjp {\n"
     "%a: f64[3] = input a\n%b: f64[3] = input b\n%dy: f64[3] = input dy\n%p = mul %a, %b\n"
     "%q = cos %p\n%d = mul %q, %dy\n%da = mul %d, %b\n%db = mul %d, %a\nreturn %da, %db\n}\n"
     "%r: f64[3] = proj %c index=0\n%y = mul %r, %x\nreturn %y\n"},
};

#endif
