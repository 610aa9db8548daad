"""NBody: the sun and four planets, one small step after another."""

from __future__ import annotations

from math import sqrt

PI = 3.141592653589793
SOLAR_MASS = 4 * PI * PI
DAYS_PER_YEAR = 365.24

#: The energy of the system after the numbers of steps that can be verified.
RESULTS = {1: -0.16907495402506745, 20000: -0.16908926275526803, 250000: -0.1690859889909308}


class Body:
    """A body with place, speed and mass."""

    def __init__(self, x: float, y: float, z: float, vx: float, vy: float, vz: float, mass: float) -> None:
        self.x = x
        self.y = y
        self.z = z
        self.vx = vx * DAYS_PER_YEAR
        self.vy = vy * DAYS_PER_YEAR
        self.vz = vz * DAYS_PER_YEAR
        self.mass = mass * SOLAR_MASS

    def offset_momentum(self, px: float, py: float, pz: float) -> None:
        self.vx = -(px / SOLAR_MASS)
        self.vy = -(py / SOLAR_MASS)
        self.vz = -(pz / SOLAR_MASS)


def jupiter() -> Body:
    return Body(
        4.84143144246472090,
        -1.16032004402742839,
        -1.03622044471123109e-1,
        1.66007664274403694e-3,
        7.69901118419740425e-3,
        -6.90460016972063023e-5,
        9.54791938424326609e-4,
    )


def saturn() -> Body:
    return Body(
        8.34336671824457987,
        4.12479856412430479,
        -4.03523417114321381e-1,
        -2.76742510726862411e-3,
        4.99852801234917238e-3,
        2.30417297573763929e-5,
        2.85885980666130812e-4,
    )


def uranus() -> Body:
    return Body(
        12.8943695621391310,
        -15.1111514016986312,
        -2.23307578892655734e-1,
        2.96460137564761618e-3,
        2.37847173959480950e-3,
        -2.96589568540237556e-5,
        4.36624404335156298e-5,
    )


def neptune() -> Body:
    return Body(
        15.3796971148509165,
        -25.9193146099879641,
        1.79258772950371181e-1,
        2.68067772490389322e-3,
        1.62824170038242295e-3,
        -9.51592254519715870e-5,
        5.15138902046611451e-5,
    )


def sun() -> Body:
    return Body(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0)


class NBodySystem:
    """The bodies and their laws."""

    def __init__(self) -> None:
        self.bodies = self.create_bodies()

    @staticmethod
    def create_bodies() -> list[Body]:
        bodies = [sun(), jupiter(), saturn(), uranus(), neptune()]
        px = 0.0
        py = 0.0
        pz = 0.0
        for b in bodies:
            px += b.vx * b.mass
            py += b.vy * b.mass
            pz += b.vz * b.mass
        bodies[0].offset_momentum(px, py, pz)
        return bodies

    def advance(self, dt: float) -> None:
        for i in range(len(self.bodies)):
            a = self.bodies[i]
            for j in range(i + 1, len(self.bodies)):
                b = self.bodies[j]
                dx = a.x - b.x
                dy = a.y - b.y
                dz = a.z - b.z

                d_squared = dx * dx + dy * dy + dz * dz
                distance = sqrt(d_squared)
                mag = dt / (d_squared * distance)

                a.vx = a.vx - (dx * b.mass * mag)
                a.vy = a.vy - (dy * b.mass * mag)
                a.vz = a.vz - (dz * b.mass * mag)
                b.vx = b.vx + (dx * a.mass * mag)
                b.vy = b.vy + (dy * a.mass * mag)
                b.vz = b.vz + (dz * a.mass * mag)

        for body in self.bodies:
            body.x = body.x + dt * body.vx
            body.y = body.y + dt * body.vy
            body.z = body.z + dt * body.vz

    def energy(self) -> float:
        e = 0.0
        for i in range(len(self.bodies)):
            a = self.bodies[i]
            e += 0.5 * a.mass * (a.vx * a.vx + a.vy * a.vy + a.vz * a.vz)
            for j in range(i + 1, len(self.bodies)):
                b = self.bodies[j]
                dx = a.x - b.x
                dy = a.y - b.y
                dz = a.z - b.z
                distance = sqrt(dx * dx + dy * dy + dz * dz)
                e -= (a.mass * b.mass) / distance
        return e


def benchmark(inner: int) -> bool:
    system = NBodySystem()
    for _ in range(inner):
        system.advance(0.01)
    return system.energy() == RESULTS[inner]
