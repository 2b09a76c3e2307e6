/* SPDX-License-Identifier: Apache-2.0 */
/* x86_64: the system call instruction and the entry point of a program without libc. */
#pragma once

static inline long tiny_syscall(long nr, long a, long b, long c, long d, long e)
{
	register long r10 __asm__("r10") = d, r8 __asm__("r8") = e;
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "0"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
			 : "rcx", "r11", "memory");
	return ret;
}

/* The kernel starts us with argc, argv and the environment on the stack. */
#define TINY_ENTRY                                          \
	__asm__(".text\n"                                   \
		".globl _start\n"                           \
		"_start:\n"                                 \
		"	xor %ebp, %ebp\n"                         \
		"	mov %rsp, %rdi\n"                         \
		"	and $-16, %rsp\n"                         \
		"	call tiny_start\n"                        \
		"	hlt\n"                                    \
		".section .note.GNU-stack,\"\",@progbits\n" \
		".text\n")
