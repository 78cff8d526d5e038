/* The heap, sorting, and mappings with their protections. */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static uint32_t seed = 12345;

static uint32_t next_random(void)
{
    seed = seed * 1664525 + 1013904223;
    return seed >> 8;
}

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void sorting(void)
{
    enum { COUNT = 20000 };
    uint32_t *numbers = malloc(COUNT * sizeof *numbers);
    for (int i = 0; i < COUNT; i++)
        numbers[i] = next_random() % 100000;
    qsort(numbers, COUNT, sizeof *numbers, by_value);
    uint64_t check = 0;
    for (int i = 0; i < COUNT; i++)
        check = check * 31 + numbers[i];
    uint32_t *found = bsearch(&numbers[777], numbers, COUNT, sizeof *numbers, by_value);
    printf("sorted %u %u %lu %d\n", numbers[0], numbers[COUNT - 1], (unsigned long)check, found && *found == numbers[777]);
    free(numbers);

    char *words[] = { "pear", "apple", "fig", "banana", "quince", "cherry", "kiwi" };
    qsort(words, 7, sizeof *words, by_text);
    for (int i = 0; i < 7; i++)
        printf("%s%s", words[i], i == 6 ? "\n" : " ");
}

/* Many blocks live at once, of sizes on both sides of malloc's threshold for mappings of their own. */
static void heap(void)
{
    enum { SLOTS = 256 };
    static unsigned char *blocks[SLOTS];
    static size_t sizes[SLOTS];
    unsigned long bad = 0, total = 0;
    for (int round = 0; round < 4000; round++) {
        unsigned slot = next_random() % SLOTS;
        for (size_t i = 0; i < sizes[slot]; i += 61)
            bad += blocks[slot][i] != (unsigned char)slot;
        size_t size = round % 97 == 0 ? next_random() % 400000 : next_random() % 3000;
        blocks[slot] = round % 3 == 0 ? (free(blocks[slot]), malloc(size)) : realloc(blocks[slot], size);
        sizes[slot] = size;
        if (size > 0)
            memset(blocks[slot], (int)slot, size);
        total += size;
    }
    int *zeroed = calloc(100000, sizeof *zeroed);
    for (int i = 0; i < 100000; i++)
        bad += zeroed[i] != 0;
    void *aligned = NULL;
    int error = posix_memalign(&aligned, 4096, 10000);
    printf("heap %lu %lu %d %d\n", total, bad, error, (int)((uintptr_t)aligned % 4096));
    free(aligned);
    free(zeroed);
    for (int i = 0; i < SLOTS; i++)
        free(blocks[i]);
}

static void mappings(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *area = mmap(NULL, 8 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(area, 'x', 8 * page);
    printf("protect %d unmap %d\n", mprotect(area + page, page, PROT_READ), munmap(area + 2 * page, 2 * page));
    area[0] = area[page];
    char *grown = mremap(area + 4 * page, 4 * page, 64 * page, MREMAP_MAYMOVE);
    printf("grown %c %d\n", grown[4 * page - 1], grown[63 * page]);
    char *fixed = mmap(area + 2 * page, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    printf("fixed %d %d\n", fixed == area + 2 * page, fixed[0]);
    madvise(grown, page, MADV_DONTNEED);
    printf("dropped %d\n", grown[0]);
    printf("refused %d\n", mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED);
    char *before = sbrk(0);
    sbrk((intptr_t)page);
    printf("break %d\n", (int)((char *)sbrk(0) - before == (intptr_t)page));
}

static void strings(void)
{
    char buffer[300];
    for (int length = 0; length < 140; length++) {
        memset(buffer, 'a', sizeof buffer);
        buffer[length + 7] = 0;
        if (strlen(buffer + 7) != (size_t)length || strchr(buffer + 7, 'b') || memchr(buffer, 0, 300) != buffer + length + 7)
            printf("string of %d\n", length);
        memmove(buffer + 3, buffer, (size_t)length + 8);
        if (strlen(buffer + 10) != (size_t)length || strcmp(buffer + 10, buffer + 10))
            printf("moved string of %d\n", length);
    }
    printf("%s %s %d\n", strstr("needle in a haystack", "hay"), strrchr("a/b/c", '/'), memcmp("abcd", "abce", 4) < 0);
}

int main(void)
{
    sorting();
    heap();
    mappings();
    strings();
    return 0;
}
