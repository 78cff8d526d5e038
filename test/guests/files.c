/* Files in the current folder: the calls that programs make about them, and mappings of them. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static void check(const char *what, long result)
{
    printf("%s %ld%s%s\n", what, result, result < 0 ? " " : "", result < 0 ? strerror(errno) : "");
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void list(const char *path)
{
    char *names[64];
    int count = 0;
    DIR *folder = opendir(path);
    for (struct dirent *entry; folder && (entry = readdir(folder)) != NULL && count < 64;)
        names[count++] = strdup(entry->d_name);
    if (folder)
        closedir(folder);
    qsort(names, (size_t)count, sizeof *names, by_name);
    for (int i = 0; i < count; i++)
        printf("%s%s", names[i], i == count - 1 ? "\n" : " ");
}

static void plain(void)
{
    char text[64] = "";
    int fd = open("file", O_RDWR | O_CREAT | O_EXCL, 0640);
    check("write", write(fd, "hello, world\n", 13));
    check("seek", lseek(fd, -6, SEEK_END));
    check("read", read(fd, text, sizeof text));
    printf("%s", text);
    check("pwrite", pwrite(fd, "HELLO", 5, 0));
    memset(text, 0, sizeof text);
    check("pread", pread(fd, text, 5, 0));
    printf("%s\n", text);
    check("beyond the end", lseek(fd, 100, SEEK_SET));
    check("write", write(fd, "!", 1));
    struct stat about;
    check("fstat", fstat(fd, &about));
    printf("size %ld mode %o links %ld regular %d\n", (long)about.st_size, about.st_mode & 0777, (long)about.st_nlink,
           S_ISREG(about.st_mode));
    check("truncate", ftruncate(fd, 20));
    struct iovec parts[2] = { { "two ", 4 }, { "parts\n", 6 } };
    check("writev", writev(fd, parts, 2));
    check("close", close(fd));
    check("closed", write(fd, "x", 1));
    check("exclusive", open("file", O_CREAT | O_EXCL | O_WRONLY, 0600));
    fd = open("file", O_WRONLY | O_APPEND);
    check("append", write(fd, "end\n", 4));
    check("where", lseek(fd, 0, SEEK_CUR));
    int second = dup(fd);
    check("flags", fcntl(second, F_GETFL) & (O_APPEND | O_ACCMODE));
    check("close on exec", fcntl(second, F_SETFD, FD_CLOEXEC));
    check("close on exec", fcntl(second, F_GETFD));
    close(second);
    close(fd);
}

static void names(void)
{
    struct stat about;
    char target[64] = "";
    check("mkdir", mkdir("folder", 0755));
    check("mkdir", mkdir("folder", 0755));
    check("rename", rename("file", "folder/moved"));
    check("link", link("folder/moved", "folder/second"));
    check("symlink", symlink("folder/moved", "shortcut"));
    check("readlink", readlink("shortcut", target, sizeof target - 1));
    printf("%s\n", target);
    check("stat", stat("shortcut", &about));
    printf("links %ld\n", (long)about.st_nlink);
    check("lstat", lstat("shortcut", &about));
    printf("symlink %d\n", S_ISLNK(about.st_mode));
    check("chmod", chmod("folder/moved", 0400));
    check("access", access("folder/moved", R_OK));
    check("missing", access("nothing", F_OK));
    check("not a folder", open("folder/moved/x", O_RDONLY));
    check("is a folder", open("folder", O_WRONLY));
    list(".");
    list("folder");
    check("rmdir", rmdir("folder"));
    check("chdir", chdir("folder"));
    check("unlink", unlink("second"));
    check("unlink", unlink("moved"));
    check("chdir", chdir(".."));
    check("rmdir", rmdir("folder"));
    check("dangling", open("shortcut", O_RDONLY));
    check("unlink", unlink("shortcut"));
}

static void mapped(void)
{
    char text[16] = "";
    int fd = open("mapped", O_RDWR | O_CREAT | O_TRUNC, 0600);
    check("size", ftruncate(fd, 8192));
    char *shared = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    char *private = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 4096);
    strcpy(shared + 4096, "through memory");
    check("pread", pread(fd, text, 14, 4096));
    printf("%s, private sees %s\n", text, private);
    strcpy(private, "private copy");
    check("pwrite", pwrite(fd, "by the call", 11, 4096));
    printf("shared %s, private %s\n", shared + 4096, private);
    check("msync", msync(shared, 8192, MS_SYNC));
    munmap(shared, 8192);
    munmap(private, 4096);
    close(fd);
    unlink("mapped");
}

static void buffered(void)
{
    char line[64], word[16];
    FILE *stream = fopen("lines", "w+");
    for (int i = 0; i < 1000; i++)
        fprintf(stream, "line %d %x\n", i, i * i);
    printf("told %ld\n", ftell(stream));
    rewind(stream);
    int number, square, lines = 0;
    while (fgets(line, sizeof line, stream) && sscanf(line, "%15s %d %x", word, &number, (unsigned *)&square) == 3)
        lines += square == number * number;
    printf("read %d end %d\n", lines, feof(stream));
    fclose(stream);
    remove("lines");
}

int main(void)
{
    umask(0022);
    plain();
    names();
    mapped();
    buffered();
    return 0;
}
