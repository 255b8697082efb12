/* The way from a multiboot loader to a C program of 64 bits, with no operating system beneath.
 *
 * The loader (Multiboot specification 0.6.96) enters at `boot` in protected mode, paging and
 * interrupts off, with the address of what it has to say in %ebx. The processor goes to long mode,
 * switches the AVX-512 registers on, and starts the C library as Linux would: arguments on the
 * stack, system calls by SYSCALL (System V ABI, AMD64 supplement; Intel SDM, volumes 2 and 3).
 * What the loader was told behind the program's name becomes the program's one argument.
 *
 * No fault is handled: a program that faults stops the emulator.
 */
#define STACK_BYTES 0x100000
#define CODE_SEGMENT 8
#define DATA_SEGMENT 16

#define MSR_EFER 0xc0000080 /* extended features: */
#define EFER_SYSCALL 0x1
#define EFER_LONG_MODE 0x100
#define MSR_STAR 0xc0000081   /* SYSCALL: its segments, */
#define MSR_LSTAR 0xc0000082  /* where it goes, */
#define MSR_SFMASK 0xc0000084 /* and which flags it clears */

#define CR0_EMULATION 0x4 /* of the x87 */
#define CR0_BITS 0x80000022 /* paging, the x87's own exceptions, monitoring of it */
/* PAE, OSFXSR, OSXMMEXCPT, OSXSAVE */
#define CR4_BITS 0x40620
/* x87, SSE, AVX, mask registers, the upper halves of ZMM0...15, ZMM16...31 */
#define XCR0_BITS 0xe7

#define PAGE_IS_WRITABLE 0x3
#define PAGE_IS_LARGE 0x80

    .section .multiboot, "a", @progbits
    .balign 4
    .long 0x1badb002, 0, -0x1badb002 /* magic, flags, and what makes their sum 0 */

    .text
    .code32
    .globl boot
boot:
    cli

    /* The first 4 GiB are mapped as they are, by large pages of 2 MiB. The tables begin as 0. */
    movl $(page_table3 + PAGE_IS_WRITABLE), page_table4
    xor %ecx, %ecx
    mov $(page_table2 + PAGE_IS_WRITABLE), %eax
1:  mov %eax, page_table3(, %ecx, 8)
    add $4096, %eax
    inc %ecx
    cmp $4, %ecx
    jne 1b
    xor %ecx, %ecx
    mov $(PAGE_IS_WRITABLE + PAGE_IS_LARGE), %eax
2:  mov %eax, page_table2(, %ecx, 8)
    add $0x200000, %eax
    inc %ecx
    cmp $2048, %ecx
    jne 2b

    mov $page_table4, %eax
    mov %eax, %cr3
    mov %cr4, %eax
    or $CR4_BITS, %eax
    mov %eax, %cr4
    mov $MSR_EFER, %ecx
    rdmsr
    or $(EFER_SYSCALL + EFER_LONG_MODE), %eax
    wrmsr
    mov %cr0, %eax
    and $~CR0_EMULATION, %eax
    or $CR0_BITS, %eax
    mov %eax, %cr0
    fninit /* as a process begins: x87 exceptions masked */
    mov 16(%ebx), %ebx /* the command line: a string that ends with 0 */
    lgdt descriptor
    ljmp $CODE_SEGMENT, $long_mode

    .code64
long_mode:
    mov $DATA_SEGMENT, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    mov %eax, %fs
    mov %eax, %gs
    xor %ecx, %ecx
    xor %edx, %edx
    mov $XCR0_BITS, %eax
    xsetbv

    mov $MSR_STAR, %ecx
    xor %eax, %eax
    mov $CODE_SEGMENT, %edx
    wrmsr
    mov $MSR_LSTAR, %ecx
    mov $call_entry, %eax
    xor %edx, %edx
    wrmsr
    mov $MSR_SFMASK, %ecx
    xor %eax, %eax
    wrmsr

    /* Backwards, from an address divisible by 16: what the C library finds on its stack. */
    mov $stack_end, %esp
    mov %ebx, %ebx
    push $0 /* fills up */
    push $0 /* the auxiliary vector: AT_NULL, */
    push $0
    push $4096 /* AT_PAGESZ */
    push $6
    push $0 /* no environment */
    push $0
    push %rbx
    push $program
    push $2
    xor %ebp, %ebp
    xor %edx, %edx /* nothing to call at the end */
    jmp _start

/* A system call may change %rax, %rcx and %r11 only. SYSCALL leaves the caller's stack in place,
 * so the 128 bytes below it are still the caller's; system_call uses no vector registers. */
call_entry:
    lea -128(%rsp), %rsp
    push %rcx /* the way back */
    push %rdi
    push %rsi
    push %rdx
    push %r8
    push %r9
    push %r10
    mov %rax, %rcx /* the call's number comes last */
    call system_call
    pop %r10
    pop %r9
    pop %r8
    pop %rdx
    pop %rsi
    pop %rdi
    pop %rcx
    lea 128(%rsp), %rsp
    jmp *%rcx

    .section .rodata
program:
    .asciz "compare_levels"
    .balign 8
segments:
    .quad 0
    .quad 0x00af9a000000ffff /* code of 64 bits */
    .quad 0x00cf92000000ffff /* data */
descriptor:
    .word descriptor - segments - 1
    .long segments

    .bss
    .balign 4096
page_table4:
    .skip 4096
page_table3:
    .skip 4096
page_table2:
    .skip 4 * 4096
    .skip STACK_BYTES
stack_end:

    .section .note.GNU-stack, "", @progbits
