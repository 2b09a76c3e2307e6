// SPDX-License-Identifier: Apache-2.0
/*
 * A thread holds known values in every register, spinning in user space; whatever the processor
 * has of x87, SSE, AVX and AVX-512 must be there afterwards.
 */
#include <cpuid.h>
#include <pthread.h>

#include "cr.h"

#ifndef __x86_64__
#error "a program for each architecture"
#endif

enum width { SSE, AVX, AVX512 };

static enum width width;
/* Not static: the assembly below writes them, unseen by the compiler. */
volatile int go, spinning;
uint64_t gpr_in[14], gpr_out[14];
unsigned char vec_in[32][64] __attribute__((aligned(64)));
unsigned char vec_out[32][64] __attribute__((aligned(64)));
uint64_t k_in[8], k_out[8];
uint32_t mxcsr_in = 0x1f80 | 0x6000 | 0x8000, mxcsr_out; /* round to zero, flush to zero */
uint16_t fcw_in = 0x0f7f, fcw_out;
double st_in[4] = {1.5, -2.25, 3e100, 1.0 / 3}, st_out[4];

static bool xcr0_has(uint32_t bits)
{
	uint32_t lo, hi;

	__asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
	return (lo & bits) == bits;
}

static enum width find_width(void)
{
	unsigned int a, b, c, d;

	if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE) || !(c & bit_AVX) || !xcr0_has(6))
		return SSE;
	if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(b & bit_AVX512F) || !(b & bit_AVX512BW) ||
		!xcr0_has(0xe6))
		return AVX;
	return AVX512;
}

#define X4(op, a, b, c, d) op(a) op(b) op(c) op(d)
#define X16(op)		   X4(op, 0, 1, 2, 3) X4(op, 4, 5, 6, 7) X4(op, 8, 9, 10, 11) X4(op, 12, 13, 14, 15)
#define X32(op) \
	X16(op) \
	X4(op, 16, 17, 18, 19) X4(op, 20, 21, 22, 23) X4(op, 24, 25, 26, 27) X4(op, 28, 29, 30, 31)
#define LD_XMM(n)    "movdqa vec_in+" #n "*64(%%rip), %%xmm" #n "\n"
#define ST_XMM(n)    "movdqa %%xmm" #n ", vec_out+" #n "*64(%%rip)\n"
#define LD_YMM(n)    "vmovdqa vec_in+" #n "*64(%%rip), %%ymm" #n "\n"
#define ST_YMM(n)    "vmovdqa %%ymm" #n ", vec_out+" #n "*64(%%rip)\n"
#define LD_ZMM(n)    "vmovdqa64 vec_in+" #n "*64(%%rip), %%zmm" #n "\n"
#define ST_ZMM(n)    "vmovdqa64 %%zmm" #n ", vec_out+" #n "*64(%%rip)\n"
#define LD_K(n)	     "kmovq k_in+" #n "*8(%%rip), %%k" #n "\n"
#define ST_K(n)	     "kmovq %%k" #n ", k_out+" #n "*8(%%rip)\n"
#define K8(op)	     X4(op, 0, 1, 2, 3) X4(op, 4, 5, 6, 7)
#define LD_GPR(n, r) "mov gpr_in+" #n "*8(%%rip), %%" #r "\n"
#define ST_GPR(n, r) "mov %%" #r ", gpr_out+" #n "*8(%%rip)\n"
#define GPRS(op)                                                                              \
	op(0, rax) op(1, rbx) op(2, rcx) op(3, rdx) op(4, rsi) op(5, rdi) op(6, r8) op(7, r9) \
		op(8, r10) op(9, r11) op(10, r12) op(11, r13) op(12, r14) op(13, r15)
#define SPIN "movl $1, spinning(%%rip)\n1: pause\ncmpl $0, go(%%rip)\nje 1b\n"
#define CLOBBER                                                                                  \
	"rax", "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", \
		"r15", "cc", "memory"

static void hold(void)
{
	__asm__ volatile("fninit\nfldcw fcw_in(%%rip)\nfldl st_in(%%rip)\nfldl st_in+8(%%rip)\n"
			 "fldl st_in+16(%%rip)\nfldl st_in+24(%%rip)\nldmxcsr mxcsr_in(%%rip)\n" ::
				 : "memory");
	if (width == AVX512)
		__asm__ volatile(X32(LD_ZMM) K8(LD_K) GPRS(LD_GPR) SPIN GPRS(ST_GPR) X32(ST_ZMM)
					 K8(ST_K)::
						 : CLOBBER);
	else if (width == AVX)
		__asm__ volatile(X16(LD_YMM) GPRS(LD_GPR) SPIN GPRS(ST_GPR) X16(ST_YMM)::: CLOBBER);
	else
		__asm__ volatile(X16(LD_XMM) GPRS(LD_GPR) SPIN GPRS(ST_GPR) X16(ST_XMM)::: CLOBBER);
	__asm__ volatile("stmxcsr mxcsr_out(%%rip)\nfnstcw fcw_out(%%rip)\n"
			 "fstpl st_out+24(%%rip)\nfstpl st_out+16(%%rip)\nfstpl st_out+8(%%rip)\n"
			 "fstpl st_out(%%rip)\nfninit\n" ::
				 : "memory");
	mxcsr_in = 0x1f80;
	__asm__ volatile("ldmxcsr mxcsr_in(%%rip)" ::: "memory");
}

static void *thread(void *arg)
{
	hold();
	return NULL;
}

int main(int argc, char **argv)
{
	static const size_t bytes[] = {[SSE] = 16, [AVX] = 32, [AVX512] = 64};
	uint32_t mxcsr_was = mxcsr_in;
	pthread_t t;
	int i;

	cr_init(argc, argv);
	width = find_width();
	printf("vector registers of %zu bytes\n", bytes[width]);
	cr_fill(gpr_in, sizeof(gpr_in), 1);
	cr_fill(vec_in, sizeof(vec_in), 2);
	cr_fill(k_in, sizeof(k_in), 3);
	MUST(pthread_create(&t, NULL, thread, NULL) == 0);
	while (!spinning)
		usleep(1000);
	cr_wait();
	go = 1;
	pthread_join(t, NULL);
	CHECK(memcmp(gpr_in, gpr_out, sizeof(gpr_in)) == 0, "general registers");
	for (i = 0; i < (width == AVX512 ? 32 : 16); i++)
		CHECK(memcmp(vec_in[i], vec_out[i], bytes[width]) == 0, "vector register %d", i);
	if (width == AVX512)
		CHECK(memcmp(k_in, k_out, sizeof(k_in)) == 0, "mask registers");
	CHECK_EQ(mxcsr_out & ~0x3f, mxcsr_was);
	CHECK_EQ(fcw_out, fcw_in);
	CHECK(memcmp(st_in, st_out, sizeof(st_in)) == 0, "x87 stack");
	return cr_done();
}
