#!/usr/bin/env python3
"""examples/char_lstm.nn in PyTorch: trained on a text, bits per character on another.

  chars.py TEXT HELD_OUT INIT.safetensors EPOCHS BATCH WINDOW

The initial values come from a weights file of nnc's.  The text is BATCH contiguous streams, each batch the next
window of every stream; the optimizer is the example's.  Prints the bits per character of HELD_OUT, read at once.
"""
import json
import math
import sys

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F


class CharModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.lstm, self.head = nn.Embedding(128, 32), nn.LSTM(32, 128, num_layers=2), nn.Linear(128, 128)

    def forward(self, text):
        return self.head(self.lstm(self.embed(text))[0])


def load(model, path):
    with open(path, "rb") as f:
        data = f.read()
    size = int.from_bytes(data[:8], "little")
    header, body = json.loads(data[8:8 + size]), data[8 + size:]
    values = {}
    for key, entry in header.items():
        if key != "__metadata__":
            first, last = entry["data_offsets"]
            values[key.removeprefix("model.")] = torch.from_numpy(np.frombuffer(body[first:last], np.float32).reshape(entry["shape"]).copy())
    model.load_state_dict(values)


def read(path):
    with open(path, "rb") as f:
        return torch.from_numpy(np.frombuffer(f.read(), np.uint8).astype(np.int64))


def main():
    text, held, init = read(sys.argv[1]), read(sys.argv[2]), sys.argv[3]
    epochs, batch, window = (int(a) for a in sys.argv[4:7])
    model = CharModel()
    load(model, init)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    windows = (len(text) - 1) // window // batch

    def streams(shift):
        """[windows, window, batch]"""
        part = text[shift:shift + batch * windows * window]
        return part.view(batch, windows, window).permute(1, 2, 0)
    inputs, targets = streams(0), streams(1)
    for _ in range(epochs):
        for x, y in zip(inputs, targets):
            loss = F.cross_entropy(model(x).reshape(-1, 128), y.reshape(-1))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    with torch.no_grad():
        bits = F.cross_entropy(model(held[:-1].unsqueeze(1)).squeeze(1), held[1:]).item() / math.log(2)
    print("steps %d, bits %.6f" % (epochs * windows, bits))


if __name__ == "__main__":
    main()
