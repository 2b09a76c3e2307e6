/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The player: rdi = rows (struct tape_row of tape.h, 88 bytes each). Uses no stack and no memory but
 * the rows, since there may be none. Ends with a breakpoint, rbx at the row where it stopped.
 */
#define ROW    88
#define NR     0
#define ARG    8
#define RESULT 56
#define FLAGS  64

	.section .rodata.tape_player, "a"
	.globl	tape_player_start, tape_player_end
	.hidden	tape_player_start, tape_player_end
	.balign	16
tape_player_start:
play:
	mov	%rdi, %rbx
	mov	%rdi, %rbp
next:
	cmpq	$0, NR(%rbx)
	jl	stop
	mov	FLAGS(%rbx), %r14
	test	$0x3f, %r14b
	jz	call
	xor	%r15d, %r15d
refs:					/* results of earlier rows into the arguments */
	bt	%r15, %r14
	jnc	noref
	imul	$ROW, ARG(%rbx, %r15, 8), %rax
	mov	RESULT(%rbp, %rax), %rax
	mov	%rax, ARG(%rbx, %r15, 8)
noref:
	inc	%r15d
	cmp	$6, %r15d
	jne	refs
call:
	mov	NR(%rbx), %rax
	mov	ARG(%rbx), %rdi
	mov	ARG + 8(%rbx), %rsi
	mov	ARG + 16(%rbx), %rdx
	mov	ARG + 24(%rbx), %r10
	mov	ARG + 32(%rbx), %r8
	mov	ARG + 40(%rbx), %r9
	syscall
	bt	$6, %r14
	jnc	store
	test	%rax, %rax
	jnz	store
	pop	%rdi			/* a new thread: its stack holds nothing but its tape */
	jmp	play
store:
	mov	%rax, RESULT(%rbx)
	bt	$7, %r14
	jnc	advance
	cmp	$-4095, %rax
	jae	stop
advance:
	add	$ROW, %rbx
	jmp	next
stop:
	int3
	ud2				/* never: the tracer moves us away */
tape_player_end:
	.section .note.GNU-stack, "", @progbits
