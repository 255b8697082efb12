/* Shows the thread sanitizer how threads wait for each other in Swift's own libraries.
 *
 * Those weren't built with the sanitizer, and so what they do with atomics goes unseen:
 *
 * - A Synchronization.Mutex. The compiler writes its short ways, one atomic exchange each, into the code that uses it,
 *   where the sanitizer sees them. The long ways, taken when two threads want the mutex at once, are functions of a
 *   library: such a mutex seemed to guard nothing.
 * - A continuation that is resumed before its task waits for it, which then goes on without being scheduled.
 *
 * This library stands in front of those functions (LD_PRELOAD), calls them, and tells. Their names and calling
 * convention belong to Swift's stable interface; clang knows both.
 */
#include <dlfcn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

/* Not there in processes that run without the sanitizer. */
__attribute__((weak)) void __tsan_acquire(void *address);
__attribute__((weak)) void __tsan_release(void *address);

static void acquire(void *address) {
    if (__tsan_acquire) __tsan_acquire(address);
}

static void release(void *address) {
    if (__tsan_release) __tsan_release(address);
}

static void *next(const char *name) {
    void *function = dlsym(RTLD_NEXT, name);
    if (!function) abort();
    return function;
}

#define SWIFT __attribute__((swiftcall))

/* ---- Synchronization.Mutex ---------------------------------------------------------------- */

#define LOCK "$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF"
#define TRY_LOCK "$s15Synchronization12_MutexHandleV12_tryLockSlowSbyF"
#define UNLOCK "$s15Synchronization12_MutexHandleV11_unlockSlowyyF"
#define SELF __attribute__((swift_context)) void *mutex

typedef SWIFT void lock_function(uint32_t thread, SELF);
typedef SWIFT bool try_lock_function(SELF);
typedef SWIFT void unlock_function(SELF);

SWIFT void visible_lock(uint32_t thread, SELF) __asm__(LOCK);
SWIFT void visible_lock(uint32_t thread, SELF) {
    ((lock_function *)next(LOCK))(thread, mutex);
    acquire(mutex);
}

SWIFT bool visible_try_lock(SELF) __asm__(TRY_LOCK);
SWIFT bool visible_try_lock(SELF) {
    bool is_locked = ((try_lock_function *)next(TRY_LOCK))(mutex);
    if (is_locked) acquire(mutex);
    return is_locked;
}

SWIFT void visible_unlock(SELF) __asm__(UNLOCK);
SWIFT void visible_unlock(SELF) {
    /* Before it is unlocked: whoever takes it then acquires this. */
    release(mutex);
    ((unlock_function *)next(UNLOCK))(mutex);
}

/* ---- continuations ------------------------------------------------------------------------ */

typedef SWIFT void *current_function(void);
typedef SWIFT void resume_function(void *task);
typedef SWIFT void fail_function(void *task, void *error);
typedef __attribute__((swiftasynccall)) void await_function(void *context);

SWIFT void swift_continuation_resume(void *task) {
    release(task);
    ((resume_function *)next("swift_continuation_resume"))(task);
}

SWIFT void swift_continuation_throwingResume(void *task) {
    release(task);
    ((resume_function *)next("swift_continuation_throwingResume"))(task);
}

SWIFT void swift_continuation_throwingResumeWithError(void *task, void *error) {
    release(task);
    ((fail_function *)next("swift_continuation_throwingResumeWithError"))(task, error);
}

/* Waiting itself is the scheduler's, who tells the sanitizer; this is for what came before. */
__attribute__((swiftasynccall)) void swift_continuation_await(void *context) {
    await_function *wait = next("swift_continuation_await");
    acquire(((current_function *)next("swift_task_getCurrent"))());
    __attribute__((musttail)) return wait(context);
}
