/* The figures of a model's kernels: count WORD... calls the entries at every size that is among the
 * words, except those that are named there, and prints a line for each kernel.
 *
 * Compiled with -DMODEL_HEADER="model_cuda.h" -DMODELS="M(net) M(Train)", together with watch.cpp
 * and with model.cu, which -fsanitize=thread made watchable. */
#include MODEL_HEADER
#include "watch.h"

#include <algorithm>
#include <cmath>

namespace {

#define M(name) name##_cuda_model,
const nnc_cuda_model *(*const models[])() = {MODELS};

[[noreturn]] void stop(const nnc_cuda_model *m, const char *entry, const char *message) {
    fprintf(stderr, "%s, %s: %s\n", m->name, entry, message ? message : "failed");
    exit(1);
}

void *take(size_t bytes) {
    void *p = nullptr;
    if (cudaMalloc(&p, bytes) != cudaSuccess) abort();
    return p;
}

/* Small whole numbers, and reals below 1. */
void fill(char *to, int dtype, size_t count, size_t bytes) {
    static shim::Random random{1};
    for (size_t i = 0; i < count; i++) {
        const uint64_t draw = random.next();
        const float real = (float)(draw >> 40) * 0x1p-23f - 1;
        const double wide = (double)real;
        const int64_t whole = dtype == NNC_BOOL ? draw % 2 : draw % 10;
        const void *from = dtype == NNC_F32   ? (const void *)&real
                           : dtype == NNC_F64 ? (const void *)&wide
                                              : (const void *)&whole;
        memcpy(to + i * bytes, from, bytes);
    }
}

/* The place of a kernel among those of its name. */
std::vector<watch::Figures> sorted() {
    std::vector<watch::Figures> list = watch::figures();
    auto number = [](const watch::Figures &f) {
        return f.name.compare(0, 6, "nn_k_k") ? -1 : atoi(f.name.c_str() + 6);
    };
    std::sort(list.begin(), list.end(), [&](const watch::Figures &a, const watch::Figures &b) {
        return number(a) != number(b) ? number(a) < number(b) : a.name < b.name;
    });
    std::map<std::string, int> seen;
    for (watch::Figures &f : list) {
        const size_t hint = f.name.find('_', 6);
        if (number(f) >= 0) f.name = hint == std::string::npos ? "plain" : f.name.substr(hint + 1);
        const int turn = ++seen[f.name];
        if (turn > 1) f.name += "#" + std::to_string(turn);
    }
    return list;
}

double ratio(uint64_t of, uint64_t to) {
    return to ? (double)of / (double)to : 0;
}

void print(const char *model, const char *entry, int64_t size) {
    std::string whole = model;
    whole.resize(whole.size() - strlen("_cuda"));
    if (whole != entry) whole += std::string(".") + entry;
    for (const watch::Figures &f : sorted())
        printf("%s %lld %s %llu %.2f %.2f %.2f %.0f %.2f %llu %llu %llu\n", whole.c_str(),
               (long long)size, f.name.c_str(), (unsigned long long)f.accesses,
               ratio(f.sectors[0], f.ideal_sectors[0]), ratio(f.sectors[1], f.ideal_sectors[1]),
               ratio(f.passes, f.ideal_passes),
               100 * (1 - ratio(f.lanes, shim::LANES * f.accesses)), ratio(f.bytes, f.unavoidable),
               (unsigned long long)f.longest, (unsigned long long)f.launches,
               (unsigned long long)f.blocks);
    fflush(stdout);
}

void count_entry(const nnc_cuda_model *m, const nnc_cuda_entry_info *e, nnc_cuda_context *ctx,
                 int64_t size) {
    static const size_t widths[] = {1, 1, 1, 2, 4, 8, 2, 2, 4, 8};
    int64_t dims[NNC_CUDA_DIMS];
    std::fill(dims, dims + NNC_CUDA_DIMS, size);
    std::vector<void *> tensors;
    for (int i = 0; i < e->argument_count + e->result_count; i++) {
        const nnc_tensor_info *t =
            i < e->argument_count ? &e->arguments[i] : &e->results[i - e->argument_count];
        int64_t shape[NNC_MAX_RANK];
        size_t elements = 1;
        e->shape(dims, i, shape);
        for (int k = 0; k < t->rank; k++) elements *= (size_t)shape[k];
        tensors.push_back(take(elements * widths[t->dtype]));
        fill((char *)tensors.back(), t->dtype, elements, widths[t->dtype]);
    }
    ctx->workspace_bytes = e->workspace_bytes(dims);
    ctx->workspace = take(ctx->workspace_bytes);
    watch::begin();
    if (e->call(ctx, dims, tensors.data(), tensors.data() + e->argument_count) || m->wait(ctx))
        stop(m, e->name, ctx->message);
    print(m->name, e->name, size);
    tensors.push_back(ctx->workspace);
    for (void *p : tensors) cudaFree(p);
}

void count_model(const nnc_cuda_model *m, int count, char **words) {
    nnc_cuda_context ctx = {};
    ctx.weights_bytes = m->weights_bytes;
    ctx.weights = take(ctx.weights_bytes);
    ctx.state_bytes = m->state_bytes(nullptr);
    ctx.state = take(ctx.state_bytes);
    ctx.control = take(NNC_CUDA_CONTROL_BYTES);
    ctx.flags = NNC_CUDA_NO_GRAPH;
    ctx.workspace_bytes = m->init_workspace_bytes ? m->init_workspace_bytes(nullptr) : 0;
    ctx.workspace = take(ctx.workspace_bytes);
    watch::begin();
    if (m->init(&ctx, 7, nullptr) || m->wait(&ctx)) stop(m, "init", ctx.message);
    if (m->cell_count) print(m->name, "init", 0);
    cudaFree(ctx.workspace);
    for (int i = 0; i < count; i++)
        for (int k = 0; k < m->entry_count && atoll(words[i]) > 0; k++)
            if (std::find(words, words + count, std::string(m->entries[k].name)) == words + count)
                count_entry(m, &m->entries[k], &ctx, atoll(words[i]));
    m->close(&ctx);
    for (void *p : {ctx.weights, ctx.state, ctx.control}) cudaFree(p);
}

} // namespace

int main(int count, char **words) {
    for (auto model : models) count_model(model(), count - 1, words + 1);
    return watch::races() != 0;
}
