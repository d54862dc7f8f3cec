/*
 * peer_boost.cpp - messages through Boost.Interprocess' message_queue.
 *
 *     --bytes N  --producers N  --consumers N  --count N
 */
/* brood-bench: header boost/interprocess/ipc/message_queue.hpp */
#include <cstring>
#include <string>
#include <vector>

#include <boost/interprocess/ipc/message_queue.hpp>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

extern "C" {
#include "bench.h"
}

using boost::interprocess::message_queue;

namespace
{

void put_all(message_queue &queue, std::size_t bytes, std::int64_t count)
{
    std::vector<char> message(bytes);
    for (std::int64_t i = 0; i < count; i++) {
        std::memcpy(message.data(), &i, sizeof i);
        queue.send(message.data(), bytes, 0);
    }
}

std::int64_t get_all(message_queue &queue, std::size_t bytes, std::int64_t count)
{
    std::vector<char> message(bytes);
    std::int64_t sum = 0;
    for (std::int64_t i = 0; i < count; i++) {
        std::size_t size;
        unsigned priority;
        queue.receive(message.data(), bytes, size, priority);
        BENCH_REQUIRE(size == bytes);
        std::int64_t number;
        std::memcpy(&number, message.data(), sizeof number);
        sum += number;
    }
    return sum;
}

} /* namespace */

int main(int argc, char **argv)
{
    long producers = bench_number(argc, argv, "producers", 1);
    long consumers = bench_number(argc, argv, "consumers", 1);
    long count = bench_number(argc, argv, "count", 1000000);
    long bytes = bench_number(argc, argv, "bytes", 64);
    long each = count / producers, got = each * producers / consumers;
    bool is_pinned = producers + consumers == 2;
    BENCH_REQUIRE(got * consumers == each * producers);
    if (is_pinned)
        bench_need_cpus(2);
    std::size_t room = static_cast<std::size_t>(bytes) * 16 > (1u << 20)
                           ? 16
                           : (1u << 20) / static_cast<std::size_t>(bytes < 64 ? 64 : bytes);
    std::string name = "brood-bench-" + std::to_string(getpid());
    void *memory = mmap(nullptr, sizeof(std::int64_t) * 64, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    BENCH_REQUIRE(memory != MAP_FAILED && consumers <= 64);
    std::int64_t *sums = static_cast<std::int64_t *>(memory);
    message_queue queue(boost::interprocess::create_only, name.c_str(), room,
                        static_cast<std::size_t>(bytes));
    message_queue::remove(name.c_str()); /* nothing is left behind, whatever happens */
    std::int64_t begin = bench_now();
    for (long i = 0; i < producers + consumers; i++) {
        pid_t pid = fork();
        BENCH_REQUIRE(pid >= 0);
        if (pid != 0)
            continue;
        if (is_pinned)
            bench_pin(static_cast<int>(i));
        if (i < producers)
            put_all(queue, static_cast<std::size_t>(bytes), each);
        else
            sums[i - producers] = get_all(queue, static_cast<std::size_t>(bytes), got);
        _exit(0);
    }
    for (long i = 0; i < producers + consumers; i++) {
        int status;
        BENCH_REQUIRE(wait(&status) > 0 && status == 0);
    }
    std::int64_t elapsed = bench_now() - begin, sum = 0;
    for (long i = 0; i < consumers; i++)
        sum += sums[i];
    BENCH_REQUIRE(sum == each * (each - 1) / 2 * producers);
    bench_print_rate(elapsed, each * producers);
    return 0;
}
