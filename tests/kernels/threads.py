"""Two threads that do the same at once."""

import threading


def in_two_threads(work):
    """Calls work(0) and work(1) at once; the first exception of either is raised here."""
    wrong = []

    def caught(seed):
        try:
            work(seed)
        except Exception as error:
            wrong.append(error)

    threads = [threading.Thread(target=caught, args=(seed,)) for seed in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if wrong:
        raise wrong[0]
