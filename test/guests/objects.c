// System V objects and internet sockets, for `info os`.
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <unistd.h>

#define KEY 0x51de57e9

struct text {
  long type;
  char bytes[7];
};

int listening, datagram;

static int bound(int type) {
  struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof name;
  int fd = socket(AF_INET, type, 0);
  if (bind(fd, (struct sockaddr *)&name, sizeof name) != 0) return perror("bind"), 0;
  if (type == SOCK_STREAM && listen(fd, 1) != 0) return perror("listen"), 0;
  getsockname(fd, (struct sockaddr *)&name, &size);
  return ntohs(name.sin_port);
}

void ready(void) {}

int main(void) {
  int memory = shmget(KEY, 5000, IPC_CREAT | 0640);
  int set = semget(KEY, 3, IPC_CREAT | 0600);
  int queue = msgget(KEY, IPC_CREAT | 0666);
  void *at = shmat(memory, NULL, 0);
  struct text text = {1, "message"};
  if (memory < 0 || set < 0 || queue < 0 || at == (void *)-1) return perror("ipc"), 1;
  if (msgsnd(queue, &text, sizeof text.bytes, 0) != 0) return perror("msgsnd"), 1;
  listening = bound(SOCK_STREAM);
  datagram = bound(SOCK_DGRAM);
  ready();
  shmctl(memory, IPC_RMID, NULL);
  semctl(set, 0, IPC_RMID);
  msgctl(queue, IPC_RMID, NULL);
  return 0;
}
