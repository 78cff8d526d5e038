/*
 * Makes the system calls that it reads, one a line, on a window of memory, and prints what they answered: what the kernel does is what
 * test/emulator/kernel/mm/mappings.test.ts compares the emulator with.
 *
 *   c NR A B C D E F   a system call; an argument is a number, b+N (a byte of the window), f (the file) or v (a vector). Prints the result.
 *   w N V              stores V to byte N of the window as read(2) would; prints 1 or -EFAULT
 *   r N                loads byte N of the window as write(2) would; prints it or -EFAULT
 *   n                  forgets everything: nothing in the window, the file as at the start
 *   m                  prints what /proc/self/maps says of the window
 *   d                  prints a sum of the file's bytes
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { WINDOW = 64 * 4096, FILE_BYTES = 14000 };

static char *window;
static int file, scratch;
static char input[1 << 16], output[1 << 16], vector[64];

static long argument(const char *text)
{
    if (text[0] == 'f')
        return file;
    if (text[0] == 'v')
        return (long)vector;
    if (text[0] == 'b')
        return (long)window + strtol(text + 2, NULL, 0);
    return strtol(text, NULL, 0);
}

static void result(long value)
{
    long offset = value - (long)window;
    if (offset >= -WINDOW && offset < 2 * WINDOW)
        printf("b+%ld\n", offset);
    else
        printf("%ld\n", value);
}

static void call(const long *a)
{
    long value = syscall(a[0], a[1], a[2], a[3], a[4], a[5], a[6]);
    result(value == -1 ? -errno : value);
}

static void reset(void)
{
    static char bytes[FILE_BYTES];
    for (int i = 0; i < FILE_BYTES; i++)
        bytes[i] = (char)(1 + i / 4096);
    munmap(window, WINDOW);
    if (ftruncate(file, 0) || pwrite(file, bytes, FILE_BYTES, 0) != FILE_BYTES)
        abort();
}

static void maps(void)
{
    static char text[1 << 16];
    int fd = open("/proc/self/maps", O_RDONLY);
    size_t length = 0;
    for (ssize_t got; (got = read(fd, text + length, sizeof text - 1 - length)) > 0;)
        length += (size_t)got;
    close(fd);
    text[length] = 0;
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        unsigned long start, end, offset;
        char prot[5];
        sscanf(line, "%lx-%lx %4s %lx", &start, &end, prot, &offset);
        if (end <= (unsigned long)window || start >= (unsigned long)window + WINDOW)
            continue;
        if (start < (unsigned long)window)
            start = (unsigned long)window;
        if (end > (unsigned long)window + WINDOW)
            end = (unsigned long)window + WINDOW;
        printf("%ld-%ld %s %lu;", ((long)start - (long)window) / 4096, ((long)end - (long)window) / 4096, prot, offset / 4096);
    }
    printf("\n");
}

static void sum(void)
{
    static unsigned char bytes[64 * 4096];
    ssize_t got = pread(file, bytes, sizeof bytes, 0);
    unsigned total = 0;
    for (ssize_t i = 0; i < got; i++)
        total = total * 31 + bytes[i];
    printf("%zd %u\n", got, total);
}

int main(int argc, char **argv)
{
    (void)argc;
    setvbuf(stdin, input, _IOFBF, sizeof input);
    setvbuf(stdout, output, _IOFBF, sizeof output);
    file = open(argv[1], O_RDWR | O_CREAT, 0600);
    scratch = memfd_create("scratch", 0);
    window = mmap(NULL, 3 * WINDOW, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    window += WINDOW;
    char line[256];
    while (fgets(line, sizeof line, stdin)) {
        char *words[8] = { 0 };
        int count = 0;
        for (char *word = strtok(line, " \n"); word && count < 8; word = strtok(NULL, " \n"))
            words[count++] = word;
        long a[7] = { 0 };
        for (int i = 1; i < count; i++)
            a[i - 1] = argument(words[i]);
        char byte = (char)a[1];
        switch (words[0][0]) {
        case 'c':
            call(a);
            break;
        case 'w':
            if (pwrite(scratch, &byte, 1, 0) != 1)
                abort();
            printf("%d\n", pread(scratch, window + a[0], 1, 0) < 0 ? -errno : 1);
            break;
        case 'r':
            if (pwrite(scratch, window + a[0], 1, 0) < 0)
                printf("%d\n", -errno);
            else if (pread(scratch, &byte, 1, 0) == 1)
                printf("%d\n", byte);
            break;
        case 'n':
            reset();
            break;
        case 'm':
            maps();
            break;
        case 'd':
            sum();
            break;
        }
    }
    return 0;
}
