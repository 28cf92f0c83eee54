/* The few calls between fork and exec, and inside a signal handler, that only C can make safely. */
#ifndef CAGENT_H
#define CAGENT_H

#include <sys/types.h>

/* What the program is told in its environment; everything else it inherits. None may be NULL. */
struct apus_agent_environment {
    const char *thing;         /* APUS_THING */
    const char *slot;          /* APUS_SLOT: a or b */
    const char *settings;      /* APUS_SETTINGS: path of a JSON file */
    const char *notify_socket; /* NOTIFY_SOCKET: datagram socket for READY=1, as systemd has it */
};

/* Starts the program at `path` in its own process group. It is killed when the calling thread ends, so call
   this from a thread that lives as long as the program. Returns the process id, or minus an errno where
   the program could not be started at all. */
pid_t apus_agent_spawn(const char *path, const struct apus_agent_environment *environment);

/* A descriptor that becomes readable when the process ends, or -1. */
int apus_agent_open_process(pid_t pid);

/* A descriptor from which one byte can be read for each SIGTERM or SIGINT from now on, or -1. */
int apus_agent_catch_signals(void);

/* A descriptor that `apus_agent_wake` makes readable, and `apus_agent_settle` unreadable again, or -1. */
int apus_agent_make_waker(void);
void apus_agent_wake(int waker);
void apus_agent_settle(int waker);

/* Bytes of this process in memory. */
unsigned long long apus_agent_used_bytes(void);

/* Bytes of memory that are free. */
unsigned long long apus_agent_free_bytes(void);

#endif
