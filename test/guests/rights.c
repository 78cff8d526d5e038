/*
 * Set-user-id programs. `rights become UID PROGRAM`: becomes that user and executes the program with `show`; `rights show`: with which rights it runs;
 * `rights bound PROGRAM`: the same under PR_SET_NO_NEW_PRIVS.
 */
#define _GNU_SOURCE
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <unistd.h>

static int show(void)
{
    uid_t ruid, euid, suid;
    gid_t rgid, egid, sgid;
    getresuid(&ruid, &euid, &suid);
    getresgid(&rgid, &egid, &sgid);
    printf("uid %d %d %d, gid %d %d %d\n", ruid, euid, suid, rgid, egid, sgid);
    printf("auxv %lu %lu %lu %lu, secure %lu, dumpable %d\n", getauxval(AT_UID), getauxval(AT_EUID), getauxval(AT_GID), getauxval(AT_EGID),
           getauxval(AT_SECURE), prctl(PR_GET_DUMPABLE));
    char line[256];
    FILE *file = fopen("/proc/self/status", "r");
    while (file && fgets(line, sizeof line, file))
        if (strncmp(line, "CapPrm", 6) == 0 || strncmp(line, "CapEff", 6) == 0) printf("%.6s %s\n", line, strstr(line, "\t0000000000000000") ? "none" : "some");
    return 0;
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "show") == 0) return show();
    if (argc > 2 && strcmp(argv[1], "bound") == 0) {
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        execl(argv[2], argv[2], "show", NULL);
        return 3;
    }
    if (argc < 4) return 2;
    int id = atoi(argv[2]);
    if (setgroups(0, NULL) != 0 || setresgid(id, id, id) != 0 || setresuid(id, id, id) != 0) return 77;
    if (argc > 4) execl(argv[3], argv[3], argv[4], argv[5], NULL);
    execl(argv[3], argv[3], "show", NULL);
    return 3;
}
