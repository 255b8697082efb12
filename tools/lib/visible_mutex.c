/* Shows the thread sanitizer what Swift's Synchronization.Mutex does on Linux when it has to wait.
 *
 * The compiler writes a mutex's short ways, one atomic exchange each, into the code that uses it, where the
 * sanitizer sees them. The long ways are functions of the system's library, which wasn't built with the sanitizer,
 * and so a mutex that two threads wanted at once seemed to guard nothing. This library stands in front of those
 * functions (LD_PRELOAD) and tells.
 *
 * The names and calling convention belong to Swift's stable interface; clang knows both.
 */
#include <dlfcn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

/* Not there in processes that run without the sanitizer. */
__attribute__((weak)) void __tsan_acquire(void *address);
__attribute__((weak)) void __tsan_release(void *address);

#define MUTEX "$s15Synchronization12_MutexHandleV"
#define LOCK MUTEX "9_lockSlowyys6UInt32VF"
#define TRY_LOCK MUTEX "12_tryLockSlowSbyF"
#define UNLOCK MUTEX "11_unlockSlowyyF"
#define SWIFT __attribute__((swiftcall))
#define SELF __attribute__((swift_context)) void *mutex

typedef SWIFT void lock_function(uint32_t thread, SELF);
typedef SWIFT bool try_lock_function(SELF);
typedef SWIFT void unlock_function(SELF);

static void *next(const char *name) {
    void *function = dlsym(RTLD_NEXT, name);
    if (!function) abort();
    return function;
}

static void acquire(void *mutex) {
    if (__tsan_acquire) __tsan_acquire(mutex);
}

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
    if (__tsan_release) __tsan_release(mutex);
    ((unlock_function *)next(UNLOCK))(mutex);
}
