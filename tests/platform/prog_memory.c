/* prog_memory.c - roles that share a section: they grow it, sleep in it and wake each other in it.
 */
#define _GNU_SOURCE
#include "role.h"

#include "memory_layout.h"
#include "threads.h"

#ifndef _WIN32
#include <sys/resource.h>
#endif

static uint64_t number(const pt_call *call, int index)
{
    pt_check(index < call->argc);
    return strtoull(call->argv[index], NULL, 10);
}

static brp_section open_section(const pt_call *call)
{
    brp_section section;
    pt_must(brp_section_open(&section, call->handles[1], number(call, 1)));
    return section;
}

/* ---- growing ---- */

/* Arguments: reserved, offset, size, seed. */
static int fill_range(pt_call *call)
{
    brp_section section = open_section(call);
    uint64_t offset = number(call, 2), size = number(call, 3);
    pt_must(brp_section_commit(&section, offset, size));
    memset(section.base + offset, (int)number(call, 4), (size_t)size);
    brp_section_close(&section);
    return 0;
}

/* Reads what others have committed. Arguments: reserved, offset, size, seed. */
static int check_range(pt_call *call)
{
    brp_section section = open_section(call);
    uint64_t offset = number(call, 2), size = number(call, 3);
    int bad = 0;
    for (uint64_t i = 0; i < size; i++)
        bad |= section.base[offset + i] != (unsigned char)number(call, 4);
    brp_section_close(&section);
    return bad;
}

/* Takes every n-th block of the range, with others who take the rest. Arguments: reserved, index,
 * n. */
static int grow(pt_call *call)
{
    enum { BLOCK = 40000, BLOCKS = 60 }; /* no multiple of a page: neighbours share pages */
    brp_section section = open_section(call);
    uint64_t index = number(call, 2), n = number(call, 3);
    for (uint64_t i = index; i < n * BLOCKS; i += n) {
        pt_must(brp_section_commit(&section, i * BLOCK, BLOCK));
        for (size_t j = 0; j < BLOCK; j++)
            pt_check(section.base[i * BLOCK + j] == 0);
        memset(section.base + i * BLOCK, (int)(index + 1), BLOCK);
    }
    for (uint64_t i = index; i < n * BLOCKS; i += n)
        for (size_t j = 0; j < BLOCK; j++)
            pt_check(section.base[i * BLOCK + j] == (unsigned char)(index + 1));
    brp_section_close(&section);
    return 0;
}

/* Commits the same ranges again and again, until it is killed. Arguments: reserved. */
static int commit_for_ever(pt_call *call)
{
    brp_section section = open_section(call);
    pt_must(pt_say(call->handles[0], "r"));
    bri_deadline limit = pt_hang();
    while (brp_clock_now() < limit) {
        pt_must(brp_section_commit(&section, 0, 4 << 20));
        brp_section_discard(&section, 1 << 20, 3 << 20);
    }
    return 97;
}

#ifndef _WIN32
/* A macro, because the type of the first argument of setrlimit differs between systems. */
#define limit_to(which, size)                       \
    do {                                            \
        struct rlimit limit_;                       \
        pt_check(getrlimit((which), &limit_) == 0); \
        limit_.rlim_cur = (size);                   \
        pt_check(setrlimit((which), &limit_) == 0); \
    } while (0)

/* Reserves with few addresses left, and tells how much it got and what the failure says. */
static int reserve_under_limit(pt_call *call)
{
    char text[1200];
    brp_section section;
    limit_to(RLIMIT_AS, (rlim_t)1 << 30);
    pt_must(brp_section_create(&section, UINT64_C(16) << 30, 1 << 20));
    pt_must(brp_section_commit(&section, 0, 1 << 20));
    memset(section.base, 1, 1 << 20);
    snprintf(text, sizeof text, "%" PRIu64 " ", section.reserved);
    brp_section_close(&section);
    pt_must(pt_say(call->handles[0], text));
    pt_check(brp_section_create(&section, UINT64_C(16) << 30, UINT64_C(8) << 30) == BROOD_ENOMEM);
    pt_must(pt_say(call->handles[0], brood_last_error()->message));
    return 0;
}

/* Commits with a limit of file sizes, under which growing raises SIGXFSZ. Arguments: reserved of
 * the section that is given, of which the first 8 MiB are committed already. */
static int commit_under_limit(pt_call *call)
{
    brp_section given = open_section(call), own;
    limit_to(RLIMIT_FSIZE, 1 << 20);
    pt_must(brp_section_create(&own, 64 << 20, 64 << 20));
    pt_must(brp_section_commit(&own, 0, 512 << 10));
    pt_must(brp_section_commit(&given, 0, 8 << 20));
    pt_check(brp_section_commit(&given, 0, 16 << 20) == BROOD_ENOMEM);
    pt_check(brp_section_commit(&own, 0, 4 << 20) == BROOD_ENOMEM);
    pt_must(pt_say(call->handles[0], brood_last_error()->message));
    memset(own.base, 1, 512 << 10);
    brp_section_close(&own);
    brp_section_close(&given);
    return 0;
}
#endif

/* Ends with 16 GiB reserved, little of it in use, and a block that is not freed. */
static int keep_reserve(pt_call *call)
{
    static void *block;
    brp_section section;
    (void)call;
    block = bri_alloc(1000);
    pt_check(block != NULL);
    pt_must(brp_section_create(&section, UINT64_C(16) << 30, 1 << 20));
    pt_must(brp_section_commit(&section, 0, 1 << 20));
    memset(section.base, 1, 1 << 20);
    return 0;
}

/* ---- sleeping ---- */

/* The view of a role; arguments: reserved, owner. */
static pt_shared open_shared(const pt_call *call)
{
    pt_shared shared = {.section = open_section(call)};
    pt_must(brp_words_open(&shared.words, shared.section.base, shared.section.base,
                           (uint32_t)number(call, 2)));
    shared.at = pt_layout_of(&shared.section);
    return shared;
}

static void close_shared(pt_shared *shared)
{
    brp_words_close(shared->words);
    brp_section_close(&shared->section);
}

/* Sleeps until the first word is not 0. */
static int sleep_on_word(pt_call *call)
{
    pt_shared shared = open_shared(call);
    pt_must(pt_say(call->handles[0], "w"));
    while (atomic_load(&shared.at->words[0]) == 0)
        pt_must(brp_word_wait(shared.words, &shared.at->words[0], 0, BRI_NEVER));
    pt_must(pt_say(call->handles[0], "d"));
    close_shared(&shared);
    return 0;
}

/* Answers each odd number in the first word with the even one behind it. Argument 3: how often. */
static int answer(pt_call *call)
{
    pt_shared shared = open_shared(call);
    for (uint32_t turn = 1; turn < 2 * number(call, 3); turn += 2)
        pt_check(pt_take_turn(&shared, &shared.at->words[0], turn));
    close_shared(&shared);
    return 0;
}

/* Two threads that take from the counter until it is closed. Tells how many they took. */
static int consume(pt_call *call)
{
    pt_shared shared = open_shared(call);
    pt_consumer consumers[2] = {{.shared = &shared}, {.shared = &shared}};
    pt_thread threads[2];
    for (int i = 0; i < 2; i++)
        pt_thread_start(&threads[i], pt_consume, &consumers[i]);
    for (int i = 0; i < 2; i++)
        pt_thread_join(&threads[i]);
    char text[32];
    snprintf(text, sizeof text, "%d", consumers[0].taken + consumers[1].taken);
    pt_must(pt_say(call->handles[0], text));
    close_shared(&shared);
    return 0;
}

/* Sleeps on and wakes several words from several threads, until it is killed. */
static void churn_words(void *context)
{
    pt_shared *shared = context;
    bri_deadline limit = pt_hang();
    for (uint32_t i = 0; brp_clock_now() < limit; i++) {
        _Atomic uint32_t *word = &shared->at->words[i % 4];
        atomic_fetch_add(word, 1);
        brp_word_wake(shared->words, word, i % 3 == 0 ? INT32_MAX : 1);
        brp_word_wait(shared->words, word, atomic_load(word), pt_in(1));
    }
}

static int churn(pt_call *call)
{
    pt_shared shared = open_shared(call);
    pt_thread threads[3];
    for (int i = 0; i < 3; i++)
        pt_thread_start(&threads[i], churn_words, &shared);
    pt_must(pt_say(call->handles[0], "r"));
    for (int i = 0; i < 3; i++)
        pt_thread_join(&threads[i]);
    return 97;
}

int main(int argc, char **argv)
{
    static const pt_role roles[] = {
        {"fill", fill_range},
        {"check", check_range},
        {"grow", grow},
        {"commit_for_ever", commit_for_ever},
        {"keep_reserve", keep_reserve},
#ifndef _WIN32
        {"reserve_under_limit", reserve_under_limit},
        {"commit_under_limit", commit_under_limit},
#endif
        {"sleep", sleep_on_word},
        {"answer", answer},
        {"consume", consume},
        {"churn", churn},
        {NULL, NULL},
    };
    return pt_main(argc, argv, roles);
}
