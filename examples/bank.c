/* Four tellers move money between accounts: what scripts/demo debugs. */
#include <pthread.h>
#include <stdio.h>

enum { TELLERS = 4, ACCOUNTS = 8, TRANSFERS = 2500 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static long accounts[ACCOUNTS];
long largest;

static void transfer(int teller, int from, int to, long amount) {
  pthread_mutex_lock(&lock);
  accounts[from] -= amount;
  accounts[to] += amount;
  if (amount > largest) largest = amount;
  pthread_mutex_unlock(&lock);
  (void)teller;
}

static void *work(void *argument) {
  int teller = *(int *)argument;
  unsigned state = 12345u + (unsigned)teller;
  for (int i = 0; i < TRANSFERS; i++) {
    state = state * 1103515245u + 12345u;
    int from = (int)(state >> 16) % ACCOUNTS, to = (int)(state >> 20) % ACCOUNTS;
    transfer(teller, from, to, (long)(state >> 8) % 1000);
  }
  return NULL;
}

int main(void) {
  pthread_t threads[TELLERS];
  int tellers[TELLERS];
  for (int i = 0; i < TELLERS; i++) {
    tellers[i] = i;
    pthread_create(&threads[i], NULL, work, &tellers[i]);
  }
  for (int i = 0; i < TELLERS; i++) pthread_join(threads[i], NULL);
  long sum = 0;
  for (int i = 0; i < ACCOUNTS; i++) sum += accounts[i];
  printf("%d transfers, largest %ld, sum of all accounts %ld\n", TELLERS * TRANSFERS, largest, sum);
  return sum != 0;
}
