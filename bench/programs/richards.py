"""Richards: the kernel of a small operating system: an idler, a worker, two handlers, two devices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bench.programs.som import Benchmark

NO_TASK: Any = None
NO_WORK: Any = None

IDLER = 0
WORKER = 1
HANDLER_A = 2
HANDLER_B = 3
DEVICE_A = 4
DEVICE_B = 5
NUM_TYPES = 6

DEVICE_PACKET_KIND = 0
WORK_PACKET_KIND = 1

DATA_SIZE = 4
TRACING = False


class Richards(Benchmark):
    """One run of the scheduler."""

    def benchmark(self) -> bool:
        return Scheduler().start()

    def verify_result(self, result: bool) -> bool:
        return result


class RBObject:
    """Base of all: knows how to append to a queue of packets."""

    @staticmethod
    def append(packet: Any, queue_head: Any) -> Any:
        packet.link = NO_WORK
        if queue_head == NO_WORK:
            return packet
        mouse = queue_head
        while True:
            link = mouse.link
            if link == NO_WORK:
                break
            mouse = link
        mouse.link = packet
        return queue_head


class Scheduler(RBObject):
    """Runs the task with the highest priority that can go on."""

    def __init__(self) -> None:
        self.layout = 0
        self.task_list: Any = NO_TASK
        self.current_task: Any = NO_TASK
        self.current_identity = 0
        self.task_table: list[Any] = [NO_TASK] * NUM_TYPES
        self.queue_count = 0
        self.hold_count = 0

    def create_device(self, identity: int, priority: int, work: Any, state: Any) -> None:
        def fn(arrived: Any, data: Any) -> Any:
            if arrived == NO_WORK:
                arrived = data.pending
                if arrived == NO_WORK:
                    return self.mark_waiting()
                data.pending = NO_WORK
                return self.queue_packet(arrived)
            data.pending = arrived
            if TRACING:
                self.trace(arrived.datum)
            return self.hold_self()

        self.create_task(identity, priority, work, state, DeviceData(), fn)

    def create_handler(self, identity: int, priority: int, work: Any, state: Any) -> None:
        def fn(arrived: Any, data: Any) -> Any:
            if arrived != NO_WORK:
                if arrived.kind == WORK_PACKET_KIND:
                    data.work_in_add(arrived)
                else:
                    data.device_in_add(arrived)

            packet = data.work_in
            if packet == NO_WORK:
                return self.mark_waiting()

            count = packet.datum
            if count >= DATA_SIZE:
                data.work_in = packet.link
                return self.queue_packet(packet)

            device_packet = data.device_in
            if device_packet == NO_WORK:
                return self.mark_waiting()

            data.device_in = device_packet.link
            device_packet.datum = packet.data[count]
            packet.datum = count + 1
            return self.queue_packet(device_packet)

        self.create_task(identity, priority, work, state, HandlerData(), fn)

    def create_idler(self, identity: int, priority: int, work: Any, state: Any) -> None:
        def fn(_arrived: Any, data: Any) -> Any:
            data.count = data.count - 1
            if data.count == 0:
                return self.hold_self()
            if data.control & 1 == 0:
                data.control = data.control // 2
                return self.release(DEVICE_A)
            data.control = (data.control // 2) ^ 53_256
            return self.release(DEVICE_B)

        self.create_task(identity, priority, work, state, IdlerData(), fn)

    def create_worker(self, identity: int, priority: int, work: Any, state: Any) -> None:
        def fn(arrived: Any, data: Any) -> Any:
            if arrived == NO_WORK:
                return self.mark_waiting()
            data.destination = HANDLER_B if data.destination == HANDLER_A else HANDLER_A
            arrived.identity = data.destination
            arrived.datum = 0
            for i in range(DATA_SIZE):
                data.count = data.count + 1
                if data.count > 26:
                    data.count = 1
                arrived.data[i] = 65 + data.count - 1
            return self.queue_packet(arrived)

        self.create_task(identity, priority, work, state, WorkerData(), fn)

    def create_packet(self, link: Any, identity: int, kind: int) -> Packet:
        return Packet(link, identity, kind)

    def create_task(
        self, identity: int, priority: int, work: Any, state: Any, data: Any, fn: Callable[[Any, Any], Any]
    ) -> None:
        t = TaskControlBlock(self.task_list, identity, priority, work, state, data, fn)
        self.task_list = t
        self.task_table[identity] = t

    def start(self) -> bool:
        self.create_idler(IDLER, 0, NO_WORK, TaskState.with_running())
        queue = self.create_packet(NO_WORK, WORKER, WORK_PACKET_KIND)
        queue = self.create_packet(queue, WORKER, WORK_PACKET_KIND)
        self.create_worker(WORKER, 1000, queue, TaskState.with_waiting_with_packet())

        queue = self.create_packet(NO_WORK, DEVICE_A, DEVICE_PACKET_KIND)
        queue = self.create_packet(queue, DEVICE_A, DEVICE_PACKET_KIND)
        queue = self.create_packet(queue, DEVICE_A, DEVICE_PACKET_KIND)
        self.create_handler(HANDLER_A, 2000, queue, TaskState.with_waiting_with_packet())

        queue = self.create_packet(NO_WORK, DEVICE_B, DEVICE_PACKET_KIND)
        queue = self.create_packet(queue, DEVICE_B, DEVICE_PACKET_KIND)
        queue = self.create_packet(queue, DEVICE_B, DEVICE_PACKET_KIND)
        self.create_handler(HANDLER_B, 3000, queue, TaskState.with_waiting_with_packet())

        self.create_device(DEVICE_A, 4000, NO_WORK, TaskState.with_waiting())
        self.create_device(DEVICE_B, 5000, NO_WORK, TaskState.with_waiting())
        self.schedule()
        return self.queue_count == 23_246 and self.hold_count == 9297

    def find_task(self, identity: int) -> Any:
        t = self.task_table[identity]
        if t == NO_TASK:
            raise ValueError("there is no such task")
        return t

    def hold_self(self) -> Any:
        self.hold_count += 1
        self.current_task.set_task_holding(True)
        return self.current_task.link

    def queue_packet(self, packet: Any) -> Any:
        task = self.find_task(packet.identity)
        if task == NO_TASK:
            return NO_TASK
        self.queue_count += 1
        packet.link = NO_WORK
        packet.identity = self.current_identity
        return task.add_input_and_check_priority(packet, self.current_task)

    def release(self, identity: int) -> Any:
        task = self.find_task(identity)
        if task == NO_TASK:
            return NO_TASK
        task.set_task_holding(False)
        if task.priority > self.current_task.priority:
            return task
        return self.current_task

    def trace(self, message: Any) -> None:
        self.layout -= 1
        if self.layout <= 0:
            print("")
            self.layout = 50
        print(message)

    def mark_waiting(self) -> Any:
        self.current_task.set_task_waiting(True)
        return self.current_task

    def schedule(self) -> None:
        self.current_task = self.task_list
        while self.current_task is not NO_TASK:
            if self.current_task.is_task_holding_or_waiting():
                self.current_task = self.current_task.link
            else:
                self.current_identity = self.current_task.identity
                if TRACING:
                    self.trace(self.current_identity)
                self.current_task = self.current_task.run_task()


class DeviceData(RBObject):
    """What a device keeps."""

    def __init__(self) -> None:
        self.pending: Any = NO_WORK


class HandlerData(RBObject):
    """What a handler keeps: two queues."""

    def __init__(self) -> None:
        self.work_in: Any = NO_WORK
        self.device_in: Any = NO_WORK

    def device_in_add(self, packet: Any) -> None:
        self.device_in = self.append(packet, self.device_in)

    def work_in_add(self, packet: Any) -> None:
        self.work_in = self.append(packet, self.work_in)


class IdlerData(RBObject):
    """What the idler keeps."""

    def __init__(self) -> None:
        self.control = 1
        self.count = 10_000


class WorkerData(RBObject):
    """What the worker keeps."""

    def __init__(self) -> None:
        self.destination = HANDLER_A
        self.count = 0


class Packet(RBObject):
    """A message on its way."""

    def __init__(self, link: Any, identity: int, kind: int) -> None:
        self.link = link
        self.kind = kind
        self.identity = identity
        self.datum = 0
        self.data = [0] * DATA_SIZE


class TaskState(RBObject):
    """Three flags and what they mean together."""

    def __init__(self) -> None:
        self.task_holding = False
        self.task_waiting = False
        self.has_packet = False

    def is_packet_pending(self) -> bool:
        return self.has_packet

    def is_task_waiting(self) -> bool:
        return self.task_waiting

    def is_task_holding(self) -> bool:
        return self.task_holding

    def set_task_holding(self, holding: bool) -> None:
        self.task_holding = holding

    def set_task_waiting(self, waiting: bool) -> None:
        self.task_waiting = waiting

    def packet_pending(self) -> TaskState:
        self.has_packet = True
        self.task_waiting = False
        self.task_holding = False
        return self

    def running(self) -> TaskState:
        self.has_packet = self.task_waiting = self.task_holding = False
        return self

    def waiting(self) -> TaskState:
        self.has_packet = self.task_holding = False
        self.task_waiting = True
        return self

    def waiting_with_packet(self) -> TaskState:
        self.task_holding = False
        self.task_waiting = self.has_packet = True
        return self

    def is_task_holding_or_waiting(self) -> bool:
        return self.task_holding or (not self.has_packet and self.task_waiting)

    def is_waiting_with_packet(self) -> bool:
        return self.has_packet and self.task_waiting and not self.task_holding

    @classmethod
    def with_running(cls) -> TaskState:
        return cls().running()

    @classmethod
    def with_waiting(cls) -> TaskState:
        return cls().waiting()

    @classmethod
    def with_waiting_with_packet(cls) -> TaskState:
        return cls().waiting_with_packet()


class TaskControlBlock(TaskState):
    """A task: its state, its queue and its function."""

    def __init__(
        self,
        link: Any,
        identity: int,
        priority: int,
        work: Any,
        state: TaskState,
        data: Any,
        function: Callable[[Any, Any], Any],
    ) -> None:
        super().__init__()
        self.link = link
        self.identity = identity
        self.function = function
        self.priority = priority
        self.input = work
        self.data = data
        self.has_packet = state.is_packet_pending()
        self.task_waiting = state.is_task_waiting()
        self.task_holding = state.is_task_holding()

    def add_input_and_check_priority(self, packet: Any, old_task: Any) -> Any:
        if self.input == NO_WORK:
            self.input = packet
            self.has_packet = True
            if self.priority > old_task.priority:
                return self
        else:
            self.input = self.append(packet, self.input)
        return old_task

    def run_task(self) -> Any:
        if self.is_waiting_with_packet():
            message = self.input
            self.input = message.link
            if self.input == NO_WORK:
                self.running()
            else:
                self.packet_pending()
        else:
            message = NO_WORK
        return self.function(message, self.data)


def benchmark(inner: int) -> bool:
    return Richards().inner_benchmark_loop(inner)
