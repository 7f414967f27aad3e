/* The interface of emitted CUDA code, on the shim: device and host pointers, staging, graphs and
 * their reuse, refused ids, models of one file and of another on streams of their own, two contexts
 * of one model, and a failure of every call of the CUDA runtime in turn. */
#include "api.cu"
#include "other_cuda.h"

#include <cstdlib>

#define CHECK(condition)                                                    \
    do {                                                                    \
        if (!(condition)) {                                                 \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
            exit(1);                                                        \
        }                                                                   \
    } while (0)

enum { CLASSES = 5, WIDTH = 20, MOST = 64 };

/* All that a context needs, allocated as its size functions say. */
struct Model {
    nnc_cuda_context ctx = {};
    const nnc_cuda_model *table;
    std::vector<void *> memory;
    void *take(size_t bytes) {
        void *p = nullptr;
        CHECK(cudaMalloc(&p, bytes) == cudaSuccess);
        memory.push_back(p);
        return p;
    }
    Model(const nnc_cuda_model *table_, size_t workspace, int flags) : table(table_) {
        ctx.weights_bytes = table->weights_bytes;
        ctx.weights = take(ctx.weights_bytes);
        ctx.state_bytes = table->state_bytes(nullptr);
        ctx.state = take(ctx.state_bytes);
        ctx.workspace_bytes = workspace;
        ctx.workspace = take(workspace);
        ctx.control = take(NNC_CUDA_CONTROL_BYTES);
        ctx.flags = flags;
        cudaStream_t stream;
        CHECK(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking) == cudaSuccess);
        ctx.stream = stream;
    }
    void stage(size_t bytes) {
        ctx.staging_bytes = bytes;
        CHECK(cudaMallocHost(&ctx.staging, bytes) == cudaSuccess);
    }
    ~Model() {
        table->close(&ctx);
        cudaStreamDestroy((cudaStream_t)ctx.stream);
        for (void *p : memory) cudaFree(p);
        cudaFreeHost(ctx.staging);
    }
    std::vector<char> weights() {
        const char *from = (const char *)ctx.weights;
        return std::vector<char>(from, from + ctx.weights_bytes);
    }
};

static float inputs[MOST * WIDTH];
static int64_t labels[MOST];

static void fill(int turn) {
    for (int i = 0; i < MOST * WIDTH; i++) inputs[i] = (float)((i * 37 + turn * 11) % 101) / 50 - 1;
    for (int i = 0; i < MOST; i++) labels[i] = (i * 3 + turn) % CLASSES;
}

enum Way { HOST, DEVICE, STAGED, STAGED_IN_PART };

/* Have the bytes gone through the context's page-locked memory? */
static bool is_staged(const nnc_cuda_context *ctx, const void *bytes, size_t count) {
    const char *const at = (const char *)ctx->staging;
    for (size_t i = 0; i + count <= ctx->staging_bytes; i += 64)
        if (!memcmp(at + i, bytes, count)) return true;
    return false;
}

/* Five steps at two sizes; the losses and the last weights. */
static std::vector<char> train(Way way, int flags, std::vector<float> *losses) {
    const int sizes[] = {7, 33, 7, 7, 33};
    Model m(Train_cuda_model(),
            Train_cuda_step_workspace_bytes(33) + Train_cuda_init_workspace_bytes(), flags);
    if (way == STAGED) m.stage(2 * (33 * WIDTH * 4 + 33 * 8 + 256));
    if (way == STAGED_IN_PART) m.stage(2 * 1024); /* the larger x goes by itself */
    CHECK(Train_cuda_init(&m.ctx, 11) == NNC_OK);
    for (int turn = 0; turn < 5; turn++) {
        float *x = inputs, loss = -1, *out = &loss;
        int64_t *y = labels;
        fill(turn);
        if (way == DEVICE) {
            x = (float *)m.take(sizeof inputs), y = (int64_t *)m.take(sizeof labels);
            out = (float *)m.take(sizeof loss);
            memcpy(x, inputs, sizeof inputs), memcpy(y, labels, sizeof labels);
        }
        const uint64_t waits = shim::machine.waits;
        CHECK(Train_cuda_step(&m.ctx, sizes[turn], x, y, 0.5f + (float)turn, out) == NNC_OK);
        /* Only staging waits, for its own half of two calls before. */
        CHECK(way >= STAGED || shim::machine.waits == waits);
        const size_t x_bytes = (size_t)sizes[turn] * WIDTH * sizeof *x;
        if (way >= STAGED) {
            CHECK(is_staged(&m.ctx, y, (size_t)sizes[turn] * sizeof *y));
            CHECK(is_staged(&m.ctx, x, x_bytes) == (way == STAGED || x_bytes <= 1024));
        }
        if (way == STAGED) memset(inputs, 0xff, sizeof inputs); /* it has been taken */
        CHECK(Train_cuda_wait(&m.ctx) == NNC_OK);
        losses->push_back(*out);
    }
    CHECK(m.ctx.step == 5);
    return m.weights();
}

static void test_ways() {
    std::vector<float> expected;
    const std::vector<char> weights = train(HOST, NNC_CUDA_NO_GRAPH, &expected);
    for (int way = HOST; way <= STAGED_IN_PART; way++)
        for (int flags = 0; flags < 2; flags++) {
            std::vector<float> losses;
            CHECK(train((Way)way, flags, &losses) == weights);
            CHECK(losses == expected);
        }
    for (float loss : expected) CHECK(loss > 0 && loss < 10);
    CHECK(expected[0] != expected[2]);
}

/* A bad id: nothing is written, the next wait tells, and then all is as before. */
static void test_refusal() {
    for (int flags = 0; flags < 2; flags++) {
        Model m(Train_cuda_model(),
                Train_cuda_step_workspace_bytes(9) + Train_cuda_init_workspace_bytes(), flags);
        float loss;
        fill(1);
        CHECK(Train_cuda_init(&m.ctx, 3) == NNC_OK);
        CHECK(Train_cuda_step(&m.ctx, 9, inputs, labels, 1, &loss) == NNC_OK);
        const std::vector<char> before = m.weights();
        labels[4] = CLASSES;
        CHECK(Train_cuda_step(&m.ctx, 9, inputs, labels, 1, &loss) == NNC_OK);
        CHECK(m.weights() == before);
        labels[4] = 0;
        CHECK(Train_cuda_step(&m.ctx, 9, inputs, labels, 1, &loss) == NNC_OK);
        CHECK(m.weights() != before);
        CHECK(Train_cuda_wait(&m.ctx) == NNC_E_RANGE && strstr(m.ctx.message, "label"));
        CHECK(Train_cuda_wait(&m.ctx) == NNC_OK && !m.ctx.message);
    }
}

static void test_misuse() {
    Model m(net_cuda_model(), net_cuda_workspace_bytes(4) + net_cuda_init_workspace_bytes(), 0);
    float out[4 * CLASSES];
    CHECK(net_cuda(nullptr, 4, inputs, out) == NNC_E_ARGUMENT);
    CHECK(net_cuda_init(&m.ctx, 1) == NNC_OK);
    CHECK(net_cuda(&m.ctx, -1, inputs, out) == NNC_E_ARGUMENT);
    CHECK(net_cuda(&m.ctx, 4, nullptr, out) == NNC_E_ARGUMENT &&
          strstr(m.ctx.message, "x is NULL"));
    CHECK(net_cuda(&m.ctx, 400, inputs, out) == NNC_E_WORKSPACE);
    CHECK(net_cuda(&m.ctx, INT64_MAX / 2, inputs, out) == NNC_E_WORKSPACE);
    CHECK(net_cuda(&m.ctx, 0, inputs, out) == NNC_OK);
    void *const control = m.ctx.control;
    m.ctx.control = nullptr;
    CHECK(net_cuda(&m.ctx, 4, inputs, out) == NNC_E_WORKSPACE && strstr(m.ctx.message, "control"));
    m.ctx.message = nullptr;
    CHECK(net_cuda_wait(&m.ctx) == NNC_E_WORKSPACE && strstr(m.ctx.message, "control"));
    float bias[33];
    m.ctx.message = nullptr;
    CHECK(m.table->get(&m.ctx, 1, bias, sizeof bias) == NNC_E_WORKSPACE &&
          strstr(m.ctx.message, "control"));
    CHECK(m.table->set(&m.ctx, 1, bias, sizeof bias) == NNC_E_WORKSPACE);
    m.ctx.control = (char *)control + 1;
    CHECK(net_cuda(&m.ctx, 4, inputs, out) == NNC_E_ARGUMENT);
    m.ctx.control = control;
    CHECK(net_cuda(&m.ctx, 4, inputs, nullptr) == NNC_E_ARGUMENT &&
          strstr(m.ctx.message, "output is NULL"));
    m.ctx.weights_bytes--;
    CHECK(net_cuda(&m.ctx, 4, inputs, out) == NNC_E_WORKSPACE && strstr(m.ctx.message, "weights"));
    m.ctx.weights_bytes++;
    m.ctx.weights = (char *)m.ctx.weights + 4;
    CHECK(net_cuda(&m.ctx, 4, inputs, out) == NNC_E_ARGUMENT && strstr(m.ctx.message, "aligned"));
    m.ctx.weights = (char *)m.ctx.weights - 4;
    CHECK(m.table->get(&m.ctx, 0, out, 3) == NNC_E_ARGUMENT);
    CHECK(m.table->set(&m.ctx, -1, out, 4) == NNC_E_ARGUMENT);
    CHECK(m.table->wait(nullptr) == NNC_E_ARGUMENT);
    m.table->close(nullptr);
    CHECK(net_cuda(&m.ctx, 4, inputs, out) == NNC_OK);
}

/* Two models in one process, a call of one between those of the other. */
static void test_two() {
    float alone[4 * CLASSES], between[4 * CLASSES], loss;
    fill(2);
    for (int with = 0; with < 2; with++) {
        Model a(net_cuda_model(), net_cuda_workspace_bytes(4) + net_cuda_init_workspace_bytes(), 0);
        Model b(Train_cuda_model(),
                Train_cuda_step_workspace_bytes(9) + Train_cuda_init_workspace_bytes(), 0);
        CHECK(net_cuda_init(&a.ctx, 5) == NNC_OK && Train_cuda_init(&b.ctx, 6) == NNC_OK);
        for (int i = 0; i < 3; i++) {
            if (with) CHECK(Train_cuda_step(&b.ctx, 9, inputs, labels, 1, &loss) == NNC_OK);
            CHECK(net_cuda(&a.ctx, 4, inputs, with ? between : alone) == NNC_OK);
        }
        CHECK(net_cuda_wait(&a.ctx) == NNC_OK && Train_cuda_wait(&b.ctx) == NNC_OK);
    }
    CHECK(!memcmp(alone, between, sizeof alone));
}

/* One model twice, with weights and a stream of each: calls of both are under way at once, and each
 * gives what it gives alone. */
static void test_contexts() {
    float out[2][2][4 * CLASSES];
    fill(6);
    for (int together = 0; together < 2; together++) {
        const size_t workspace = net_cuda_workspace_bytes(4) + net_cuda_init_workspace_bytes();
        Model a(net_cuda_model(), workspace, 0), b(net_cuda_model(), workspace, 0);
        CHECK(a.ctx.stream != b.ctx.stream);
        CHECK(net_cuda_init(&a.ctx, 1) == NNC_OK && net_cuda_init(&b.ctx, 2) == NNC_OK);
        for (int i = 0; i < 3; i++) {
            CHECK(net_cuda(&a.ctx, 4, inputs, out[together][0]) == NNC_OK);
            if (!together) CHECK(net_cuda_wait(&a.ctx) == NNC_OK);
            CHECK(net_cuda(&b.ctx, 4, inputs, out[together][1]) == NNC_OK);
            if (!together) CHECK(net_cuda_wait(&b.ctx) == NNC_OK);
        }
        CHECK(net_cuda_wait(&a.ctx) == NNC_OK && net_cuda_wait(&b.ctx) == NNC_OK);
    }
    CHECK(!memcmp(out[0], out[1], sizeof out[0]));
    CHECK(memcmp(out[0][0], out[0][1], sizeof out[0][0]));
}

/* A model of another file of the same program, compiled by itself, between calls of one of this. */
static void test_files() {
    float mine[4 * CLASSES], again[4 * CLASSES], theirs[4];
    fill(7);
    Model a(net_cuda_model(), net_cuda_workspace_bytes(4) + net_cuda_init_workspace_bytes(), 0);
    Model b(other_cuda_model(), other_cuda_workspace_bytes(4), 0);
    CHECK(net_cuda_init(&a.ctx, 5) == NNC_OK);
    /* The net draws for its dropout: the same step, the same numbers. */
    const uint64_t step = a.ctx.step;
    CHECK(net_cuda(&a.ctx, 4, inputs, mine) == NNC_OK);
    a.ctx.step = step;
    CHECK(other_cuda(&b.ctx, 4, inputs, theirs) == NNC_OK);
    CHECK(net_cuda(&a.ctx, 4, inputs, again) == NNC_OK);
    CHECK(net_cuda_wait(&a.ctx) == NNC_OK && other_cuda_wait(&b.ctx) == NNC_OK);
    CHECK(!memcmp(mine, again, sizeof mine));
    for (int i = 0; i < 4; i++) {
        float most = inputs[i * WIDTH];
        for (int k = 1; k < WIDTH; k++)
            if (inputs[i * WIDTH + k] > most) most = inputs[i * WIDTH + k];
        CHECK(theirs[i] == most);
    }
}

/* An inference entry on a training context at the same dims: its own graph, which writes no weight.
 */
static void test_shared_context() {
    float out[2][9 * CLASSES], loss;
    for (int flags = 0; flags < 2; flags++) {
        Model m(Train_cuda_model(),
                Train_cuda_step_workspace_bytes(9) + Train_cuda_init_workspace_bytes() +
                    net_cuda_workspace_bytes(9),
                flags);
        fill(4);
        CHECK(Train_cuda_init(&m.ctx, 8) == NNC_OK);
        CHECK(Train_cuda_step(&m.ctx, 9, inputs, labels, 1, &loss) == NNC_OK);
        CHECK(Train_cuda_wait(&m.ctx) == NNC_OK);
        const std::vector<char> before = m.weights();
        CHECK(net_cuda(&m.ctx, 9, inputs, out[flags]) == NNC_OK);
        CHECK(net_cuda_wait(&m.ctx) == NNC_OK);
        CHECK(m.weights() == before);
    }
    CHECK(!memcmp(out[0], out[1], sizeof out[0]));
}

/* As many sizes as a context has places for graphs: a second call of each finds its own, whichever
 * place it has. */
static void test_graphs() {
    Model m(net_cuda_model(),
            net_cuda_workspace_bytes(NNC_CUDA_GRAPHS) + net_cuda_init_workspace_bytes(), 0);
    float out[NNC_CUDA_GRAPHS * CLASSES];
    void *first[NNC_CUDA_GRAPHS];
    fill(5);
    CHECK(net_cuda_init(&m.ctx, 4) == NNC_OK);
    for (int round = 0; round < 2; round++) {
        for (int n = 1; n <= NNC_CUDA_GRAPHS; n++)
            CHECK(net_cuda(&m.ctx, n, inputs, out) == NNC_OK);
        for (int i = 0; i < NNC_CUDA_GRAPHS; i++) {
            CHECK(m.ctx.graphs[i].executable);
            if (round == 0) first[i] = m.ctx.graphs[i].executable;
            CHECK(first[i] == m.ctx.graphs[i].executable);
        }
    }
    CHECK(net_cuda_wait(&m.ctx) == NNC_OK);
}

/* The n-th call of the runtime fails, for every n: a code and a text, no crash, and all is given
 * back. */
static void test_failures() {
    int failed = 0;
    for (uint64_t n = 1;; n++) {
        Model m(Train_cuda_model(),
                Train_cuda_step_workspace_bytes(9) + Train_cuda_init_workspace_bytes(), 0);
        float loss;
        fill(3);
        m.stage(4096);
        shim::machine.fail_at = shim::machine.calls + n;
        int code = Train_cuda_init(&m.ctx, 3);
        for (int i = 0; i < 3 && !code; i++)
            code = Train_cuda_step(&m.ctx, 9, inputs, labels, 1, &loss);
        if (!code) code = Train_cuda_wait(&m.ctx);
        const bool reached = shim::machine.calls >= shim::machine.fail_at;
        shim::machine.fail_at = 0;
        if (!reached) break;
        /* A pointer whose kind cannot be told is taken for pageable memory; closing may fail too.
         */
        if (!code) continue;
        CHECK(code == NNC_E_DEVICE && m.ctx.device_error == (int)cudaErrorUnknown);
        CHECK(!strcmp(m.ctx.message, cudaGetErrorString(cudaErrorUnknown)));
        failed++;
    }
    CHECK(failed > 20);
    printf("%d failures of the runtime were told\n", failed);
}

int main() {
    for (unsigned seed = 0; seed < 2; seed++) {
        shim::schedule(seed);
        test_ways();
        test_refusal();
        test_misuse();
        test_two();
        test_contexts();
        test_files();
        test_shared_context();
        test_graphs();
    }
    test_failures();
    printf("passed\n");
    return 0;
}
