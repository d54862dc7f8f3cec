/*
 * brood/brood.h - everything.
 */
#ifndef BROOD_BROOD_H
#define BROOD_BROOD_H

#include <brood/array.h>
#include <brood/barrier.h>
#include <brood/condition.h>
#include <brood/connection.h>
#include <brood/event.h>
#include <brood/executor.h>
#include <brood/function.h>
#include <brood/future.h>
#include <brood/handle.h>
#include <brood/init.h>
#include <brood/listener.h>
#include <brood/lock.h>
#include <brood/manager.h>
#include <brood/pickle.h>
#include <brood/pool.h>
#include <brood/process.h>
#include <brood/proxy.h>
#include <brood/queue.h>
#include <brood/rlock.h>
#include <brood/semaphore.h>
#include <brood/shared_memory.h>
#include <brood/status.h>
#include <brood/time.h>
#include <brood/value.h>
#include <brood/version.h>
#include <brood/wait.h>

#endif /* BROOD_BROOD_H */
