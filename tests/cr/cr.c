// SPDX-License-Identifier: Apache-2.0
/* See cr.h. */
#include "cr.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#define WAIT_MAX 240.0 /* seconds: a forgotten program ends by itself */

static char dir[256];
static pid_t main_pid;
static int differences;
static int parent_gate = -1; /* of this process, towards its cr_fork */

static void put_file(const char *name, const char *text)
{
	char tmp[300];
	FILE *f;

	snprintf(tmp, sizeof(tmp), "%s/%s.tmp", dir, name);
	f = fopen(tmp, "w");
	if (!f || fputs(text, f) < 0 || fclose(f) != 0 || rename(tmp, cr_path(name)) < 0) {
		fprintf(stderr, "cannot write %s: %m\n", tmp);
		_exit(2);
	}
}

void cr_init(int argc, char **argv)
{
	if (argc != 2 || strlen(argv[1]) >= sizeof(dir)) {
		fprintf(stderr, "usage: %s DIR\n", argv[0]);
		exit(2);
	}
	strcpy(dir, argv[1]);
	main_pid = getpid();
	setvbuf(stdout, NULL, _IONBF, 0);
}

const char *cr_path(const char *name)
{
	static _Thread_local char path[8][512];
	static _Thread_local unsigned int n;
	char *p = path[n++ % 8];

	snprintf(p, sizeof(path[0]), "%s/%s", dir, name);
	return p;
}

double cr_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

void cr_wait_go(void)
{
	double start = cr_now();

	while (access(cr_path("go"), F_OK) < 0) {
		(void)nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
		if (cr_now() - start > WAIT_MAX) {
			fprintf(stderr, "nobody said go\n");
			_exit(3);
		}
	}
}

void cr_wait(void)
{
	char pid[16];

	snprintf(pid, sizeof(pid), "%d\n", getpid());
	put_file("ready", pid);
	cr_wait_go();
}

double cr_away(void)
{
	char *text = cr_read_file(cr_path("go"));
	double away = text ? atof(text) : 0;

	free(text);
	return away;
}

void cr_differs(const char *file, int line, const char *fmt, ...)
{
	char text[1024];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	(void)n;
	differences++;
	printf("%s:%d: %s\n", file, line, text);
}

int cr_done(void)
{
	if (getpid() == main_pid)
		put_file("result", differences ? "fail\n" : "pass\n");
	return differences ? 1 : 0;
}

void cr_skip(const char *fmt, ...)
{
	char text[256] = "skip: ";
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text + 6, sizeof(text) - 6, fmt, ap);
	va_end(ap);
	put_file("result", text);
	exit(0);
}

void cr_broken(const char *file, int line, const char *what)
{
	printf("%s:%d: set-up failed: %s: %m\n", file, line, what);
	if (getpid() == main_pid)
		put_file("result", "broken\n");
	_exit(2);
}

pid_t cr_fork(void)
{
	int gate[2];
	pid_t pid;
	char c;

	MUST(pipe2(gate, O_CLOEXEC) == 0);
	pid = fork();
	MUST(pid >= 0);
	if (pid == 0) {
		close(gate[0]);
		parent_gate = gate[1];
		differences = 0;
		return 0;
	}
	close(gate[1]);
	MUST(read(gate[0], &c, 1) == 1);
	close(gate[0]);
	return pid;
}

void cr_child_ready(void)
{
	MUST(write(parent_gate, "x", 1) == 1);
	close(parent_gate);
}

void cr_reap(pid_t pid)
{
	int status = 0;

	CHECK(waitpid(pid, &status, 0) == pid, "waitpid(%d): %m", pid);
	CHECK(status == 0, "child %d ended with status 0x%x", pid, status);
}

static unsigned char byte_at(size_t i, uint32_t seed)
{
	uint32_t x = (uint32_t)(i >> 3) * 2654435761u + seed * 40503u;

	return (unsigned char)(x >> (8 * (i & 3))) ^ (unsigned char)i;
}

void cr_fill(void *p, size_t len, uint32_t seed)
{
	size_t i;

	for (i = 0; i < len; i++)
		((unsigned char *)p)[i] = byte_at(i, seed);
}

bool cr_filled(const void *p, size_t len, uint32_t seed)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (((const unsigned char *)p)[i] != byte_at(i, seed))
			return false;
	return true;
}

char *cr_read_file(const char *path)
{
	size_t size = 1 << 20, n = 0;
	char *text = malloc(size + 1);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t r;

	if (!text || fd < 0) {
		free(text);
		return NULL;
	}
	while (n < size && (r = read(fd, text + n, size - n)) > 0)
		n += r;
	close(fd);
	text[n] = '\0';
	return text;
}

void cr_field(const char *text, const char *key, char *ret, size_t size)
{
	size_t klen = strlen(key), n;
	const char *p;

	ret[0] = '\0';
	for (p = text; p; p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL) {
		if (strncmp(p, key, klen) != 0 || p[klen] != ':')
			continue;
		p += klen + 1;
		p += strspn(p, " \t");
		n = strcspn(p, "\n");
		n = n < size - 1 ? n : size - 1;
		memcpy(ret, p, n);
		ret[n] = '\0';
		return;
	}
}

static sigjmp_buf fault_jump;

static void on_fault(int sig)
{
	siglongjmp(fault_jump, sig);
}

int cr_faults(volatile char *p, bool write)
{
	struct sigaction act = {.sa_handler = on_fault, .sa_flags = SA_NODEFER}, segv, bus;
	int sig;

	sigaction(SIGSEGV, &act, &segv);
	sigaction(SIGBUS, &act, &bus);
	sig = sigsetjmp(fault_jump, 1);
	if (sig == 0) {
		if (write)
			*p = *p;
		else
			(void)*p;
	}
	sigaction(SIGSEGV, &segv, NULL);
	sigaction(SIGBUS, &bus, NULL);
	return sig;
}
