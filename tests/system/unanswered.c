/* A name server that does not answer: by LD_PRELOAD, the lookup of any name that ends in ".invalid" takes a minute. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <string.h>
#include <unistd.h>

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **found) {
    const char *end = name == NULL ? NULL : strstr(name, ".invalid");
    if (end != NULL && end[sizeof ".invalid" - 1] == '\0') {
        sleep(60);
        return EAI_AGAIN;
    }
    int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **) = dlsym(RTLD_NEXT, "getaddrinfo");
    return real(name, service, hints, found);
}
