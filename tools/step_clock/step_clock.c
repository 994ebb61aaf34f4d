/* A system clock that a test can step: preloaded, it adds an offset to CLOCK_REALTIME alone.
 *
 * The offset [ns, int64] is read from the file that STEP_CLOCK_FILE names, at each call, so that all
 * programs that were started with it step together. Absolute deadlines of the shown clock are turned
 * back into the kernel's before waiting, as of the moment of the call.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S 1000000000LL

static const int64_t nothing;
static const volatile int64_t *offset_ns = &nothing;

__attribute__((constructor)) static void map_offset(void) {
    const char *path = getenv("STEP_CLOCK_FILE");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0)
        return;
    void *page = mmap(NULL, sizeof(int64_t), PROT_READ, MAP_SHARED, file, 0);
    close(file);
    if (page != MAP_FAILED)
        offset_ns = page;
}

static struct timespec shifted(struct timespec time, int64_t by_ns) {
    int64_t total_ns = time.tv_sec * NS_PER_S + time.tv_nsec + by_ns;
    if (total_ns < 0)
        total_ns = 0;
    return (struct timespec){total_ns / NS_PER_S, total_ns % NS_PER_S};
}

/* The kernel's own answer: a call of the library's function would come back here. */
static int kernel_time(clockid_t clock, struct timespec *time) {
    return (int)syscall(SYS_clock_gettime, clock, time);
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    int result = kernel_time(clock, time);
    if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        *time = shifted(*time, *offset_ns);
    return result;
}

int gettimeofday(struct timeval *restrict value, void *restrict zone) {
    struct timespec now;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    value->tv_sec = now.tv_sec;
    value->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *seconds) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (seconds)
        *seconds = now.tv_sec;
    return now.tv_sec;
}

/* A condition variable keeps its clock to itself: a deadline is of the clock that it is nearer to. */
static struct timespec of_either(struct timespec deadline) {
    struct timespec shown, steady;
    clock_gettime(CLOCK_REALTIME, &shown);
    kernel_time(CLOCK_MONOTONIC, &steady);
    int64_t to_shown = llabs((int64_t)(deadline.tv_sec - shown.tv_sec));
    int64_t to_steady = llabs((int64_t)(deadline.tv_sec - steady.tv_sec));
    return to_shown < to_steady ? shifted(deadline, -*offset_ns) : deadline;
}

static struct timespec of_clock(clockid_t clock, struct timespec deadline) {
    return clock == CLOCK_REALTIME ? shifted(deadline, -*offset_ns) : deadline;
}

static void *next_function(const char *name, const char *version) {
    void *found = version ? dlvsym(RTLD_NEXT, name, version) : NULL;
    return found ? found : dlsym(RTLD_NEXT, name);
}

int pthread_cond_timedwait(pthread_cond_t *restrict condition, pthread_mutex_t *restrict mutex,
                           const struct timespec *restrict deadline) {
    static int (*next)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
    if (!next) /* x86-64 has an older version of it, which dlsym would give */
        next = next_function("pthread_cond_timedwait", "GLIBC_2.3.2");
    struct timespec kernel = of_either(*deadline);
    return next(condition, mutex, &kernel);
}

int pthread_cond_clockwait(pthread_cond_t *restrict condition, pthread_mutex_t *restrict mutex,
                           clockid_t clock, const struct timespec *restrict deadline) {
    static int (*next)(pthread_cond_t *, pthread_mutex_t *, clockid_t, const struct timespec *);
    if (!next)
        next = next_function("pthread_cond_clockwait", NULL);
    struct timespec kernel = of_clock(clock, *deadline);
    return next(condition, mutex, clock, &kernel);
}

int sem_timedwait(sem_t *restrict semaphore, const struct timespec *restrict deadline) {
    static int (*next)(sem_t *, const struct timespec *);
    if (!next)
        next = next_function("sem_timedwait", NULL);
    struct timespec kernel = of_clock(CLOCK_REALTIME, *deadline);
    return next(semaphore, &kernel);
}

int sem_clockwait(sem_t *restrict semaphore, clockid_t clock,
                  const struct timespec *restrict deadline) {
    static int (*next)(sem_t *, clockid_t, const struct timespec *);
    if (!next)
        next = next_function("sem_clockwait", NULL);
    struct timespec kernel = of_clock(clock, *deadline);
    return next(semaphore, clock, &kernel);
}

int pthread_mutex_timedlock(pthread_mutex_t *restrict mutex,
                            const struct timespec *restrict deadline) {
    static int (*next)(pthread_mutex_t *, const struct timespec *);
    if (!next)
        next = next_function("pthread_mutex_timedlock", NULL);
    struct timespec kernel = of_clock(CLOCK_REALTIME, *deadline);
    return next(mutex, &kernel);
}
