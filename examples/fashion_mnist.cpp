// The generated C beside C++:
//     nnc examples/fashion_mnist.nn --entry=fashion_mnist -o fashion_mnist.c
//     cc -O3 -march=native -c fashion_mnist.c && c++ examples/fashion_mnist.cpp fashion_mnist.o -lm
// A class owns the regions of a context; two of them run the same images in two threads.
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <thread>
#include <vector>
#include "fashion_mnist.h"

class Classifier {
  public:
    explicit Classifier(int64_t batch) : context{} {
        size_t need = fashion_mnist_workspace_bytes(batch),
               init = fashion_mnist_init_workspace_bytes();
        context.weights = region(context.weights_bytes = fashion_mnist_weights_bytes());
        context.state = region(context.state_bytes = fashion_mnist_state_bytes());
        context.prepared = region(context.prepared_bytes = fashion_mnist_prepared_bytes());
        context.workspace = region(context.workspace_bytes = need > init ? need : init);
        check(fashion_mnist_init(&context, 3));
        check(fashion_mnist_prepare(&context));
    }
    Classifier(const Classifier &) = delete;
    Classifier &operator=(const Classifier &) = delete;
    ~Classifier() {
        std::free(context.weights), std::free(context.state);
        std::free(context.prepared), std::free(context.workspace);
    }
    std::vector<int64_t> operator()(const std::vector<uint8_t> &images) {
        int64_t n = static_cast<int64_t>(images.size() / (28 * 28));
        std::vector<int64_t> labels(static_cast<size_t>(n));
        std::vector<float> probabilities(static_cast<size_t>(n) * 10);
        check(fashion_mnist(&context, n, images.data(), labels.data(), probabilities.data()));
        return labels;
    }

  private:
    static void *region(size_t bytes) {
        return bytes ? std::aligned_alloc(64, (bytes + 63) / 64 * 64) : nullptr;
    }
    void check(int status) {
        if (status)
            throw std::runtime_error(context.message ? context.message : "fashion_mnist failed");
    }
    nnc_context context;
};

int main() {
    std::vector<uint8_t> images(8 * 28 * 28);
    for (size_t i = 0; i < images.size(); i++) images[i] = static_cast<uint8_t>(i * 37 % 251);
    std::vector<int64_t> answers[2];
    std::thread threads[2];
    for (int t = 0; t < 2; t++)
        threads[t] = std::thread([&, t] { answers[t] = Classifier(8)(images); });
    for (auto &thread : threads) thread.join();
    for (int64_t label : answers[0]) std::printf("%lld ", static_cast<long long>(label));
    std::printf("\n");
    return answers[0] == answers[1] ? 0 : 1;
}
