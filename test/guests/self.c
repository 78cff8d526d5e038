/* What a process reads about itself under /proc, reduced to what is the same on every machine. */
#define _GNU_SOURCE
#include <dirent.h>
#include <elf.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

static int data = 1;

static size_t slurp(const char *path, char *into, size_t size)
{
    int fd = open(path, O_RDONLY);
    if (fd < 0)
        return 0;
    size_t length = 0;
    for (ssize_t got; (got = read(fd, into + length, size - 1 - length)) > 0;)
        length += (size_t)got;
    close(fd);
    into[length] = 0;
    return length;
}

/* The permissions of the mapping that holds an address. */
static void mapping_of(const char *what, void *address)
{
    char line[1024], permissions[8], name[512];
    FILE *maps = fopen("/proc/self/maps", "r");
    while (maps && fgets(line, sizeof line, maps)) {
        unsigned long from, to;
        name[0] = 0;
        if (sscanf(line, "%lx-%lx %7s %*s %*s %*s %511s", &from, &to, permissions, name) < 3)
            continue;
        if ((unsigned long)(uintptr_t)address >= from && (unsigned long)(uintptr_t)address < to)
            printf("%s: %s %s\n", what, permissions, name[0] == '[' ? name : strrchr(name, '/') ? strrchr(name, '/') : "");
    }
    if (maps)
        fclose(maps);
}

static void status_line(const char *text, const char *key)
{
    const char *line = strstr(text, key);
    if (line)
        printf("%.*s\n", (int)strcspn(line, "\n"), line);
}

static int entries(const char *path)
{
    DIR *folder = opendir(path);
    int count = 0;
    for (struct dirent *entry; folder && (entry = readdir(folder)) != NULL;)
        count += entry->d_name[0] != '.';
    if (folder)
        closedir(folder);
    return count;
}

int main(int argc, char **argv)
{
    static char text[65536], path[4096], expected[4096];
    size_t length = slurp("/proc/self/cmdline", text, sizeof text);
    printf("cmdline %d %d\n", length > 0 && strcmp(text, argv[0]) == 0, (int)(length - strlen(argv[0])));
    slurp("/proc/self/comm", text, sizeof text);
    printf("comm %s", text);
    ssize_t got = readlink("/proc/self/exe", path, sizeof path - 1);
    path[got > 0 ? got : 0] = 0;
    printf("exe %s\n", strrchr(path, '/') ? strrchr(path, '/') : path);
    got = readlink("/proc/self/cwd", path, sizeof path - 1);
    path[got > 0 ? got : 0] = 0;
    printf("cwd %d\n", getcwd(expected, sizeof expected) && strcmp(path, expected) == 0);

    slurp("/proc/self/status", text, sizeof text);
    status_line(text, "Name:");
    status_line(text, "State:");
    status_line(text, "Threads:");
    status_line(text, "SigBlk:");
    slurp("/proc/self/stat", text, sizeof text);
    char state;
    int pid, parent;
    sscanf(text, "%d %*s %c %d", &pid, &state, &parent);
    printf("stat %d %c %d\n", pid == getpid(), state, parent == getppid());

    mapping_of("code", (void *)(uintptr_t)main);
    mapping_of("data", &data);
    mapping_of("stack", &argc);
    mapping_of("heap", malloc(100));
    printf("tasks %d\n", entries("/proc/self/task"));
    int fd = open("/dev/null", O_RDWR);
    int before = entries("/proc/self/fd");
    int second = dup(fd);
    printf("one more descriptor %d\n", entries("/proc/self/fd") - before);
    snprintf(path, sizeof path, "/proc/self/fd/%d", second);
    got = readlink(path, expected, sizeof expected - 1);
    expected[got > 0 ? got : 0] = 0;
    printf("it is %s\n", expected);

    length = slurp("/proc/self/auxv", text, sizeof text);
    Elf64_auxv_t *entry = (Elf64_auxv_t *)text;
    for (size_t i = 0; i < length / sizeof *entry; i++)
        if (entry[i].a_type == AT_PAGESZ || entry[i].a_type == AT_CLKTCK || entry[i].a_type == AT_PHENT)
            printf("auxv %lu %lu\n", (unsigned long)entry[i].a_type, (unsigned long)entry[i].a_un.a_val);
    printf("execfn %s\n", strrchr((char *)getauxval(AT_EXECFN), '/'));
    struct utsname system;
    uname(&system);
    struct rlimit stack;
    getrlimit(RLIMIT_STACK, &stack);
    printf("%s %s stack %d\n", system.sysname, system.machine, stack.rlim_cur >= 65536);
    printf("ids %d %d %d\n", getuid() == geteuid(), getpgrp() > 0, getsid(0) == getsid(getpid()));
    return 0;
}
