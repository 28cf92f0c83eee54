#define _GNU_SOURCE
#include "CAgent.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

enum { own_variables = 4, busy_tries = 50 };

static const char *const names[own_variables] = {
    "APUS_THING=", "APUS_SLOT=", "APUS_SETTINGS=", "NOTIFY_SOCKET="};

static int is_own(const char *entry) {
    for (int i = 0; i < own_variables; i++) {
        if (strncmp(entry, names[i], strlen(names[i])) == 0) return 1;
    }
    return 0;
}

static void free_environment(char **list, char **own) {
    for (int i = 0; i < own_variables; i++) free(own[i]);
    free(list);
}

/* The inherited environment with our variables in place of any of the same name. */
static char **make_environment(const struct apus_agent_environment *given, char **own) {
    const char *values[own_variables] = {given->thing, given->slot, given->settings, given->notify_socket};
    size_t inherited = 0;
    while (environ[inherited]) inherited++;
    char **list = calloc(inherited + own_variables + 1, sizeof *list);
    if (!list) return NULL;
    size_t count = 0;
    for (size_t i = 0; i < inherited; i++) {
        if (!is_own(environ[i])) list[count++] = environ[i];
    }
    for (int i = 0; i < own_variables; i++) {
        if (asprintf(&own[i], "%s%s", names[i], values[i]) < 0) {
            own[i] = NULL;
            return free_environment(list, own), NULL;
        }
        list[count++] = own[i];
    }
    return list;
}

/* In the child: only calls that are safe after fork in a process with threads. */
static void become(const char *path, char **environment, pid_t parent, int report) {
    char *const arguments[] = {(char *)path, NULL};
    sigset_t none;
    sigemptyset(&none);
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(127);
    signal(SIGTERM, SIG_DFL);
    signal(SIGINT, SIG_DFL);
    signal(SIGPIPE, SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL);
    syscall(SYS_close_range, 3u, ~0u, CLOSE_RANGE_CLOEXEC);
    execve(path, arguments, environment);
    int error = errno;
    ssize_t written = write(report, &error, sizeof error);
    (void)written;
    _exit(127);
}

/* Starts once; a program that did not get as far as running is reaped here. */
static pid_t spawn_once(const char *path, char **environment) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return -errno;
    pid_t parent = getpid();
    pid_t child = fork();
    if (child == 0) become(path, environment, parent, ends[1]);
    int failure = child < 0 ? errno : 0;
    close(ends[1]);
    if (child > 0) {
        int error = 0;
        ssize_t count;
        do count = read(ends[0], &error, sizeof error);
        while (count < 0 && errno == EINTR);
        if (count == (ssize_t)sizeof error) {
            failure = error;
            while (waitpid(child, NULL, 0) < 0 && errno == EINTR) {}
        }
    }
    close(ends[0]);
    return failure ? -failure : child;
}

pid_t apus_agent_spawn(const char *path, const struct apus_agent_environment *given) {
    char *own[own_variables] = {0};
    char **environment = make_environment(given, own);
    if (!environment) return -ENOMEM;
    pid_t child = -ETXTBSY;
    /* "Text file busy": another thread's fork holds the file open for a moment longer. */
    for (int i = 0; i < busy_tries && child == -ETXTBSY; i++) {
        if (i > 0) nanosleep(&(struct timespec){0, 20000000}, NULL);
        child = spawn_once(path, environment);
    }
    free_environment(environment, own);
    return child;
}

int apus_agent_open_process(pid_t pid) {
    return (int)syscall(SYS_pidfd_open, pid, 0);
}

int apus_agent_make_waker(void) {
    return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

void apus_agent_wake(int waker) {
    eventfd_write(waker, 1);
}

void apus_agent_settle(int waker) {
    eventfd_t count;
    eventfd_read(waker, &count);
}

static int signal_pipe[2] = {-1, -1};

static void signalled(int number) {
    int saved = errno;
    char byte = (char)number;
    ssize_t written = write(signal_pipe[1], &byte, 1);
    (void)written;
    errno = saved;
}

int apus_agent_catch_signals(void) {
    if (signal_pipe[0] < 0 && pipe2(signal_pipe, O_CLOEXEC) != 0) return -1;
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = signalled;
    action.sa_flags = SA_RESTART;
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    return signal_pipe[0];
}

unsigned long long apus_agent_used_bytes(void) {
    unsigned long long total = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (!file) return 0;
    if (fscanf(file, "%llu %llu", &total, &resident) != 2) resident = 0;
    fclose(file);
    return resident * (unsigned long long)sysconf(_SC_PAGESIZE);
}

unsigned long long apus_agent_free_bytes(void) {
    struct sysinfo info;
    if (sysinfo(&info) != 0) return 0;
    return (unsigned long long)info.freeram * info.mem_unit;
}
