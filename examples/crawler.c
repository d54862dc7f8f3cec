/*
 * crawler.c - fetches the pages of a site, each once, from its front page on: the workers fetch and
 * look for links, the callback collects what they found and submits what is new. First on
 * processes, then on threads, with one option changed. The site is a small HTTP server of this
 * program's own, on the loopback.
 *
 * Python: an executor, urllib.request and add_done_callback
 */
#include "sockets.h"

enum { PAGES = 40, LINKS = 3, MAX_PAGE = 8192, WORKERS = 4, OK = 200, NOT_FOUND = 404 };

/* ---- the site: page n links to some others, and one of them to a page that is not there ---- */

/* Gives the size. */
static size_t write_page(int number, char text[MAX_PAGE])
{
    size_t size = (size_t)snprintf(text, MAX_PAGE, "<title>Page %d</title>\n", number);
    for (int i = 1; i <= LINKS; i++) {
        int to = number == 7 && i == 1 ? 9999 : (number * LINKS + i) % PAGES;
        size +=
            (size_t)snprintf(text + size, MAX_PAGE - size, "<a href=\"/page/%d\">%d</a>\n", to, to);
    }
    while (size < 200 + 100 * (size_t)number % 3000) /* pages of different sizes */
        text[size++] = '.';
    return size;
}

static void answer(intptr_t client)
{
    char request[1024], page[MAX_PAGE], head[128];
    size_t size = 0, length = 0;
    int number = 0;
    do {
        size_t n = receive_some(client, request + size, sizeof request - 1 - size);
        if (n == 0)
            return;
        size += n;
        request[size] = '\0';
    } while (strstr(request, "\r\n\r\n") == NULL);
    bool found = sscanf(request, "GET /page/%d ", &number) == 1 && number < PAGES;
    if (found)
        length = write_page(number, page);
    int head_size = snprintf(head, sizeof head, "HTTP/1.0 %s\r\nContent-Length: %zu\r\n\r\n",
                             found ? "200 OK" : "404 Not Found", length);
    if (send_all(client, head, (size_t)head_size))
        (void)send_all(client, page, length);
}

/* (connection): tells its port there, and serves until it is terminated. */
static brood_status serve(brood_call *call)
{
    const brood_value *value;
    brood_connection *told;
    int port;
    BROOD_TRY(brood_call_args(call, "v", &value));
    BROOD_TRY(brood_get_connection(value, &told));
    start_sockets();
    intptr_t server = listen_on(&port);
    BROOD_TRY(brood_connection_send(told, brood_int(port), BROOD_FOREVER));
    for (;;) {
        intptr_t client = accept_client(server);
        answer(client);
        close_socket(client);
    }
}

static brood_process *start_site(int64_t *port)
{
    brood_connection *ours, *theirs;
    brood_process *site;
    brood_value got;
    BROOD_CHECK(brood_pipe(&ours, &theirs, false));
    BROOD_CHECK(brood_process_create(&site, serve,
                                     brood_pack("(v)", brood_connection_value(theirs)),
                                     &(brood_process_options){.daemon = BROOD_DAEMON_YES}));
    BROOD_CHECK(brood_process_start(site));
    brood_connection_close(theirs);
    BROOD_CHECK(brood_connection_recv(ours, &got, BROOD_FOREVER));
    BROOD_CHECK(brood_get_int(&got, port));
    brood_connection_close(ours);
    return site;
}

/* ---- the workers ---- */

/* Appends the pages that a page links to. */
static brood_status find_links(const char *page, brood_value *links)
{
    static const char mark[] = "<a href=\"/page/";
    for (const char *at = page; (at = strstr(at, mark)) != NULL;) {
        at += sizeof mark - 1;
        BROOD_TRY(brood_append(links, brood_int(strtol(at, NULL, 10))));
    }
    return BROOD_OK;
}

/* (port, page): gives (page, status, size of the body, pages that it links to). */
static brood_status fetch(brood_call *call)
{
    int64_t port, number;
    int status = 0;
    char text[MAX_PAGE + 256];
    size_t size = 0, n;
    BROOD_TRY(brood_call_args(call, "ll", &port, &number));
    start_sockets();
    intptr_t server = connect_to((int)port);
    int asked = snprintf(text, sizeof text, "GET /page/%lld HTTP/1.0\r\nHost: localhost\r\n\r\n",
                         (long long)number);
    bool sent = send_all(server, text, (size_t)asked);
    while (sent && (n = receive_some(server, text + size, sizeof text - 1 - size)) != 0)
        size += n;
    close_socket(server);
    text[size] = '\0';
    const char *body = strstr(text, "\r\n\r\n");
    if (body == NULL || sscanf(text, "HTTP/%*d.%*d %d", &status) != 1)
        return brood_call_raise(call, "ConnectionError", "no answer for page %d", (int)number);
    body += strlen("\r\n\r\n");
    brood_value links = brood_list();
    BROOD_TRY(find_links(body, &links));
    return brood_call_return(call, brood_pack("(liiv)", number, status, (int)strlen(body), links));
}

/* ---- the crawler ---- */

typedef struct crawl {
    brood_executor *executor;
    brood_lock *lock;   /* engines may call callbacks on several threads */
    brood_event *ended; /* no page is on its way any more */
    int64_t port;
    bool seen[PAGES];
    int on_its_way, found, missing;
    size_t bytes;
} crawl;

static void take_page(void *context, const brood_value *page);

static void take_failure(void *context, brood_status status, const brood_failure *failure)
{
    (void)context;
    fprintf(stderr, "a page could not be fetched: %s: %s\n", brood_status_name(status),
            failure->message);
    exit(1);
}

/* Under the lock. */
static void submit(crawl *c, int64_t number)
{
    brood_apply_options options = {
        .callback = take_page, .error_callback = take_failure, .context = c};
    c->on_its_way++;
    BROOD_CHECK(brood_executor_submit(c->executor, fetch, brood_pack("(ll)", c->port, number),
                                      &options, NULL));
}

static void take_links(crawl *c, const brood_value *links)
{
    for (size_t i = 0; i < brood_value_length(links); i++) {
        int64_t number;
        BROOD_CHECK(brood_get_int(brood_item(links, i), &number));
        if (number >= PAGES) { /* nobody remembers those: there is one */
            submit(c, number);
        } else if (!c->seen[number]) {
            c->seen[number] = true;
            submit(c, number);
        }
    }
}

/* The callback: on a thread of the executor's, in this process. */
static void take_page(void *context, const brood_value *page)
{
    crawl *c = context;
    int64_t number, status, size;
    const brood_value *links;
    char wanted[MAX_PAGE];
    BROOD_CHECK(brood_unpack(page, "(lllv)", &number, &status, &size, &links));
    BROOD_CHECK(brood_lock_acquire(c->lock, BROOD_FOREVER));
    if (status == OK) {
        EXPECT((size_t)size == write_page((int)number, wanted));
        c->found++;
        c->bytes += (size_t)size;
    } else {
        EXPECT(status == NOT_FOUND);
        c->missing++;
    }
    take_links(c, links);
    if (--c->on_its_way == 0)
        BROOD_CHECK(brood_event_set(c->ended));
    BROOD_CHECK(brood_lock_release(c->lock));
}

static size_t crawl_site(const char *engine, int64_t port)
{
    crawl c = {.port = port, .seen = {true}};
    brood_executor_options options = {.engine = engine, .workers = WORKERS};
    BROOD_CHECK(brood_lock_create(&c.lock));
    BROOD_CHECK(brood_event_create(&c.ended));
    BROOD_CHECK(brood_executor_create(&c.executor, &options));
    BROOD_CHECK(brood_lock_acquire(c.lock, BROOD_FOREVER));
    submit(&c, 0);
    BROOD_CHECK(brood_lock_release(c.lock));
    BROOD_CHECK(brood_event_wait(c.ended, BROOD_FOREVER));
    BROOD_CHECK(brood_executor_shutdown(c.executor, BROOD_SHUTDOWN_WAIT));
    brood_executor_destroy(c.executor);
    printf("%-10s %d pages, %zu bytes, %d dead links\n", engine, c.found, c.bytes, c.missing);
    EXPECT(c.found == PAGES && c.missing == 1);
    brood_event_destroy(c.ended);
    brood_lock_destroy(c.lock);
    return c.bytes;
}

int main(int argc, char **argv)
{
    BROOD_CHECK(brood_init(&argc, &argv));
    use_start_method(argc, argv);
    start_sockets();

    int64_t port;
    brood_process *site = start_site(&port);
    size_t bytes = crawl_site("processes", port);
    EXPECT(crawl_site("threads", port) == bytes);
    BROOD_CHECK(brood_process_terminate(site));
    BROOD_CHECK(brood_process_join(site, BROOD_FOREVER));
    brood_process_destroy(site);
    return 0;
}
