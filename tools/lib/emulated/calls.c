/* The system calls of Linux that the comparison makes, on a machine without Linux: it prints, and it
 * ends. What is printed goes to the first serial port; at the end comes a line with the exit status,
 * then the word by which Bochs is told to stop. */
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/uio.h>

/* No vector registers: a system call must keep them. */
#pragma clang attribute push(__attribute__((target("general-regs-only"))), apply_to = function)

enum {
    SERIAL = 0x3f8,              /* data; with the latch open, the divisor of 115200 baud */
    SERIAL_LINE = SERIAL + 3,    /* 8 bits, no parity; the highest bit opens the latch */
    SERIAL_STATUS = SERIAL + 5,  /* bit 5: ready for the next byte */
    SHUTDOWN = 0x8900,
    NO_SUCH_CALL = -38,          /* -ENOSYS */
};
#define FS_BASE 0xc0000100u

static void write_port(uint16_t port, uint8_t value) {
    __asm__ volatile("outb %0, %1" ::"a"(value), "Nd"(port));
}

static uint8_t read_port(uint16_t port) {
    uint8_t value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static void open_serial(void) {
    write_port(SERIAL_LINE, 0x83);
    write_port(SERIAL, 1);
    write_port(SERIAL + 1, 0);
    write_port(SERIAL_LINE, 0x03);
}

static long print(const char *bytes, size_t count) {
    static int is_open;
    if (!is_open) open_serial();
    is_open = 1;
    for (size_t i = 0; i < count; i++) {
        while (!(read_port(SERIAL_STATUS) & 0x20)) {}
        write_port(SERIAL, (uint8_t)bytes[i]);
    }
    return (long)count;
}

static long print_parts(const struct iovec *parts, long count) {
    long total = 0;
    for (long i = 0; i < count; i++) total += print(parts[i].iov_base, parts[i].iov_len);
    return total;
}

static void stop(long status) {
    print(status ? "exit 1\n" : "exit 0\n", 7);
    while (!(read_port(SERIAL_STATUS) & 0x40)) {} /* until all is sent */
    for (const char *word = "Shutdown"; *word; word++) write_port(SHUTDOWN, (uint8_t)*word);
    for (;;) __asm__ volatile("hlt");
}

/* Called by boot.S with the first three arguments and the number of a call. */
long system_call(long a, long b, long c, long number) {
    switch (number) {
    case SYS_write: return print((const char *)b, (size_t)c);
    case SYS_writev: return print_parts((const struct iovec *)b, c);
    case SYS_ioctl: return 0; /* standard output is a terminal, so each line comes at once */
    case SYS_set_tid_address: return 1;
    case SYS_arch_prctl: /* the C library sets its thread's own data, nothing else */
        __asm__ volatile("wrmsr" ::"c"(FS_BASE), "a"((uint32_t)b), "d"((uint32_t)(b >> 32)));
        return 0;
    case SYS_exit:
    case SYS_exit_group: stop(a);
    }
    return NO_SUCH_CALL;
}

#pragma clang attribute pop
