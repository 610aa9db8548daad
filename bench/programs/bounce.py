"""Bounce: a hundred balls in a box, fifty steps."""

from __future__ import annotations

from typing import Any

from bench.programs.som import Benchmark, Random


class Ball:
    """A ball with a place and a speed."""

    def __init__(self, random: Random) -> None:
        self.x = random.next() % 500
        self.y = random.next() % 500
        self.x_vel = (random.next() % 300) - 150
        self.y_vel = (random.next() % 300) - 150

    def bounce(self) -> bool:
        x_limit = 500
        y_limit = 500
        bounced = False

        self.x += self.x_vel
        self.y += self.y_vel
        if self.x > x_limit:
            self.x = x_limit
            self.x_vel = -abs(self.x_vel)
            bounced = True
        if self.x < 0:
            self.x = 0
            self.x_vel = abs(self.x_vel)
            bounced = True
        if self.y > y_limit:
            self.y = y_limit
            self.y_vel = -abs(self.y_vel)
            bounced = True
        if self.y < 0:
            self.y = 0
            self.y_vel = abs(self.y_vel)
            bounced = True
        return bounced


class Bounce(Benchmark):
    """Counts how often a ball meets a wall."""

    def benchmark(self) -> int:
        random = Random()
        ball_count = 100
        bounces = 0
        balls: list[Any] = [None] * ball_count
        for i in range(ball_count):
            balls[i] = Ball(random)
        for _ in range(50):
            for ball in balls:
                if ball.bounce():
                    bounces += 1
        return bounces

    def verify_result(self, result: int) -> bool:
        return result == 1331


def benchmark(inner: int) -> bool:
    return Bounce().inner_benchmark_loop(inner)
