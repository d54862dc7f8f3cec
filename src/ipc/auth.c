/* ipc/auth.c - see the header. */
#include "ipc/auth.h"

#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "platform/hmac.h"
#include "platform/ident.h"

enum {
    LEGACY = 20 /* bytes of an old challenge */
};

static const char CHALLENGE[] = "#CHALLENGE#";
static const char WELCOME[] = "#WELCOME#";
static const char FAILURE[] = "#FAILURE#";

/* ---- digests and their names ---- */

typedef struct digest_kind {
    const char *prefix;
    brp_digest digest;
    size_t size;
} digest_kind;

static const digest_kind kinds[] = {
    {"{sha256}", BRP_SHA256, BRP_SHA256_SIZE},
    {"{md5}", BRP_MD5, BRP_MD5_SIZE},
};

/* The kind that the message names at its beginning; NULL when it names none that is known. */
static const digest_kind *named_kind(const unsigned char *message, size_t size)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        size_t length = strlen(kinds[i].prefix);
        if (size >= length && memcmp(message, kinds[i].prefix, length) == 0)
            return &kinds[i];
    }
    return NULL;
}

/* ---- what goes out ---- */

static void put(bri_auth *auth, const void *data, size_t size)
{
    memcpy(auth->out + auth->out_size, data, size);
    auth->out_size += size;
}

static void put_text(bri_auth *auth, const char *text)
{
    put(auth, text, strlen(text));
}

static brood_status put_challenge(bri_auth *auth)
{
    static const char prefix[] = "{sha256}";
    size_t length = sizeof prefix - 1;
    memcpy(auth->challenge, prefix, length);
    BROOD_TRY(brp_random(auth->challenge + length, sizeof auth->challenge - length));
    put_text(auth, CHALLENGE);
    put(auth, auth->challenge, sizeof auth->challenge);
    auth->step = BRI_AUTH_RESPONSE_DUE;
    return BROOD_OK;
}

/* ---- what comes in ---- */

static brood_status fail_auth(bri_auth *auth, const char *reason)
{
    auth->step = BRI_AUTH_FAILED;
    return bri_fail(BROOD_EAUTH, "could not authenticate a connection: %s", reason);
}

static brood_status compute(const bri_auth *auth, brp_digest digest, const void *data, size_t size,
                            unsigned char out[BRP_DIGEST_MOST])
{
    return brp_hmac(digest, auth->key.data, auth->key.size, data, size, out);
}

/* Answers the other side's challenge. */
static brood_status take_challenge(bri_auth *auth, const unsigned char *message, size_t size)
{
    size_t length = sizeof CHALLENGE - 1;
    if (size < length || memcmp(message, CHALLENGE, length) != 0)
        return fail_auth(auth, "the other side sent no challenge: it wants no key, or is none of "
                               "this protocol");
    message += length;
    size -= length;
    if (size < LEGACY)
        return fail_auth(auth, "the other side's challenge is too short");
    const digest_kind *kind = size == LEGACY ? NULL : named_kind(message, size);
    if (kind == NULL && size != LEGACY)
        return fail_auth(auth, "the other side wants a digest that is not known here");
    if (auth->key.refuse_md5 && (kind == NULL || kind->digest == BRP_MD5))
        return fail_auth(auth, "the other side wants MD5, which is refused");
    unsigned char made[BRP_DIGEST_MOST];
    BROOD_TRY(compute(auth, kind == NULL ? BRP_MD5 : kind->digest, message, size, made));
    if (kind != NULL)
        put_text(auth, kind->prefix);
    put(auth, made, kind == NULL ? BRP_MD5_SIZE : kind->size);
    auth->step = BRI_AUTH_WELCOME_DUE;
    return BROOD_OK;
}

/* Whether the answer to our challenge is right. */
static brood_status check_response(const bri_auth *auth, const unsigned char *message, size_t size,
                                   bool *is_right)
{
    const digest_kind *kind = size == BRP_MD5_SIZE ? NULL : named_kind(message, size);
    size_t length = kind == NULL ? 0 : strlen(kind->prefix);
    brp_digest digest = kind == NULL ? BRP_MD5 : kind->digest;
    size_t wanted = kind == NULL ? BRP_MD5_SIZE : kind->size;
    unsigned char made[BRP_DIGEST_MOST];
    *is_right = false;
    if (size - length != wanted || (digest == BRP_MD5 && auth->key.refuse_md5))
        return BROOD_OK;
    BROOD_TRY(compute(auth, digest, auth->challenge, sizeof auth->challenge, made));
    *is_right = bri_same_bytes(message + length, made, wanted);
    return BROOD_OK;
}

static brood_status take_response(bri_auth *auth, const unsigned char *message, size_t size)
{
    bool is_right;
    BROOD_TRY(check_response(auth, message, size, &is_right));
    put_text(auth, is_right ? WELCOME : FAILURE);
    if (!is_right && size == BRP_MD5_SIZE && auth->key.refuse_md5)
        return fail_auth(auth, "the other side answered with MD5, which is refused");
    if (!is_right)
        return fail_auth(auth, "the other side's digest is wrong: it has another key");
    auth->step = auth->is_listener ? BRI_AUTH_CHALLENGE_DUE : BRI_AUTH_DONE;
    return BROOD_OK;
}

static brood_status take_welcome(bri_auth *auth, const unsigned char *message, size_t size)
{
    if (size == sizeof FAILURE - 1 && memcmp(message, FAILURE, size) == 0)
        return fail_auth(auth, "the other side rejected our digest: it has another key");
    if (size != sizeof WELCOME - 1 || memcmp(message, WELCOME, size) != 0)
        return fail_auth(auth, "the other side sent no welcome");
    if (!auth->is_listener)
        return put_challenge(auth);
    auth->step = BRI_AUTH_DONE;
    return BROOD_OK;
}

brood_status bri_auth_prepare(const bri_auth_key *key)
{
    unsigned char digest[BRP_DIGEST_MOST];
    return brp_hmac(BRP_SHA256, key->data, key->size, "", 0, digest);
}

brood_status bri_auth_begin(bri_auth *auth, const bri_auth_key *key, bool is_listener)
{
    *auth = (bri_auth){.key = *key, .is_listener = is_listener, .step = BRI_AUTH_CHALLENGE_DUE};
    if (key->data == NULL)
        auth->step = BRI_AUTH_DONE;
    else if (is_listener)
        return put_challenge(auth);
    return BROOD_OK;
}

brood_status bri_auth_take(bri_auth *auth, const void *message, size_t size)
{
    brood_status status;
    auth->out_size = 0;
    switch (auth->step) {
    case BRI_AUTH_CHALLENGE_DUE:
        status = take_challenge(auth, message, size);
        break;
    case BRI_AUTH_RESPONSE_DUE:
        status = take_response(auth, message, size);
        break;
    case BRI_AUTH_WELCOME_DUE:
        status = take_welcome(auth, message, size);
        break;
    default:
        status = fail_auth(auth, "it is over");
        break;
    }
    if (status != BROOD_OK)
        auth->step = BRI_AUTH_FAILED;
    return status;
}
