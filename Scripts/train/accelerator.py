"""What keeps an accelerator busy: patches drawn by worker processes, and the optimiser's step as a CUDA graph."""

import multiprocessing
import pickle
from functools import partial

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset


def prepare_case(kind, recipe, data, name):
    return kind.prepare(recipe, *recipe.read(data, name))


def pickled_case(*arguments):
    """As bytes, which need no shared memory."""
    return pickle.dumps(prepare_case(*arguments))


def prepare_cases(kind, recipe, data, names, workers):
    """The training cases, read and resampled by so many processes, or by this one where `workers` is 0.

    It comes before the accelerator is used, which a forked process could not use.
    """
    if not workers:
        return [prepare_case(kind, recipe, data, name) for name in names]
    with multiprocessing.get_context("fork").Pool(workers, torch.set_num_threads, (1,)) as pool:
        return [pickle.loads(case) for case in pool.imap(partial(pickled_case, kind, recipe, data), names)]


class Batches(Dataset):
    """The batch of every step: images (B, 1, D, H, W) and labels (B, D, H, W) uint8, drawn from the seed and the step alone."""

    def __init__(self, cases, augmentation, size, seed):
        self.cases, self.augmentation, self.size, self.seed = cases, augmentation, size, seed

    def __getitem__(self, step):
        rng = np.random.default_rng((self.seed, step, 0))
        chosen = rng.choice(len(self.cases), self.size, replace=False)
        drawn = [self.augmentation(self.cases[i], rng) for i in chosen]
        return torch.stack([image for image, _ in drawn]), torch.stack([labels.to(torch.uint8) for _, labels in drawn])

    def from_step(self, first, last, workers, pinned):
        """The batches of the steps from `first` to before `last`, in order; drawn by this process where `workers` is 0."""
        return iter(DataLoader(self, batch_size=None, sampler=range(first, last), num_workers=workers,
                               prefetch_factor=6 if workers else None, pin_memory=pinned,
                               worker_init_fn=lambda _: torch.set_num_threads(1)))


class GraphedStep:
    """Forward, backward and the optimiser's step as one CUDA graph: launching these kernels takes longer than running them.

    `step(x, labels)` computes the loss, its gradients and the new weights, all on the device. The first calls run it as it is,
    which the capture needs; the loss is a tensor that the next call overwrites.
    """

    WARM_UP = 11

    def __init__(self, step):
        self.step, self.calls, self.graph, self.stream = step, 0, None, torch.cuda.Stream()

    def __call__(self, x, labels):
        if self.calls == 0:
            self.x, self.labels = (torch.empty(t.shape, dtype=t.dtype, device="cuda") for t in (x, labels))
        self.x.copy_(x, non_blocking=True)
        self.labels.copy_(labels, non_blocking=True)
        self.calls += 1
        if self.calls <= self.WARM_UP:
            self.stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(self.stream):
                self.loss = self.step(self.x, self.labels)
            torch.cuda.current_stream().wait_stream(self.stream)
            return self.loss
        if self.graph is None:
            self.graph = torch.cuda.CUDAGraph()
            # only what this thread does may spoil the capture: another one pins the next batches' memory
            with torch.cuda.graph(self.graph, capture_error_mode="thread_local"):
                self.loss = self.step(self.x, self.labels)
        self.graph.replay()
        return self.loss
