/* A name server that does not answer: by LD_PRELOAD, the lookup of any name that ends in ".invalid" takes ten minutes.
   Each that begins appends the name as a line to the file that UNANSWERED_LOG names. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **found) {
    const char *end = name == NULL ? NULL : strstr(name, ".invalid");
    if (end != NULL && end[sizeof ".invalid" - 1] == '\0') {
        char line[256];
        int length = snprintf(line, sizeof line, "%s\n", name);
        int log = open(getenv("UNANSWERED_LOG"), O_WRONLY | O_CREAT | O_APPEND, 0600);
        if (length < 0 || log < 0 || write(log, line, length) != length) {
            abort();
        }
        close(log);
        sleep(600);
        return EAI_AGAIN;
    }
    int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **) = dlsym(RTLD_NEXT, "getaddrinfo");
    return real(name, service, hints, found);
}
