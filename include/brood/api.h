/*
 * brood/api.h - how the library's symbols are exported; nothing else.
 *
 * Users of the static library define BROOD_STATIC (the CMake target does).
 */
#ifndef BROOD_API_H
#define BROOD_API_H

#if defined(BROOD_STATIC)
#define BROOD_API
#elif defined(_WIN32)
#if defined(BROOD_BUILDING)
#define BROOD_API __declspec(dllexport)
#else
#define BROOD_API __declspec(dllimport)
#endif
#elif defined(__GNUC__)
#define BROOD_API __attribute__((visibility("default")))
#else
#define BROOD_API
#endif

/* Lets the compiler check a printf-like format; both are positions, from 1. */
#if defined(__MINGW32__)
#define BROOD_PRINTF(format_index, first) __attribute__((format(gnu_printf, format_index, first)))
#elif defined(__GNUC__)
#define BROOD_PRINTF(format_index, first) __attribute__((format(printf, format_index, first)))
#else
#define BROOD_PRINTF(format_index, first)
#endif

#ifdef __cplusplus
#define BROOD_BEGIN_DECLS extern "C" {
#define BROOD_END_DECLS }
#else
#define BROOD_BEGIN_DECLS
#define BROOD_END_DECLS
#endif

#endif /* BROOD_API_H */
