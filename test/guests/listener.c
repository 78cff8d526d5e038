/* Asks for a name, greets it with the arguments, and ends or spins as the first one says. */
#include <stdio.h>
#include <string.h>

volatile unsigned long turns;

int main(int argc, char **argv) {
  char name[100] = "";
  const char *what = argc > 1 ? argv[1] : "";
  if (strcmp(what, "exit") == 0) return argc;
  printf("name? ");
  fflush(stdout);
  if (fgets(name, sizeof name, stdin) == NULL) return 1;
  name[strcspn(name, "\n")] = 0;
  printf("hello %s: ", name);
  for (int i = 1; i < argc; i++) printf("%s|", argv[i]);
  printf("\n");
  if (strcmp(what, "spin") != 0) return 0;
  printf("spinning\n");
  fflush(stdout);
  for (;;) turns++;
}
