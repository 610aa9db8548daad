# What the process that has a world open offers on the socket in the world's folder.
#
# One connection is one terminal: it says hello, then runs one program at a time, or is in one session.  Whoever is
# refused gets a Fault; an exception of the protocol itself means that the connection is of no use any more.  Every
# answer leaves when what it tells is on disk.  A message has at most 32 MB: what is longer is sent in pieces.
#
# A method is never changed or given another number; new ones are added.  `hello` tells the version of both sides.
@0xb4a1c6f07d2e9358;

struct Fault {
  # Why something was not done; code 0 means that it was.
  code @0 :UInt16;     # the exit code of a command that fails because of it
  message @1 :Text;    # for the person at the terminal; "" where nothing is to be said
}

struct Source {
  name @0 :Text;
  content @1 :Data;    # UTF-8
  errno @2 :Int32;     # not 0: the file cannot be read, and content is the reason in words
}

struct Program {
  main @0 :Source;
  arguments @1 :List(Text);
  modules @2 :List(Source);
  # What it imports, under the modules' names; what is missing here is looked for in the world.
  sandbox @3 :Sandbox;
  # If it is there, the program runs in a domain of its own.
}

struct Sandbox {
  # As it was written on the command line.
  grants @0 :List(Text);   # objects of the world, a clock, random numbers
  budget @1 :Text;
  modules @2 :List(Text);  # modules of the world that it may import
}

struct Place {
  file @0 :Text;
  line @1 :UInt32;
  function @2 :Text;
  source @3 :Text;
}

struct Error {
  kind @0 :Text;
  message @1 :Text;
  trace @2 :List(Place);   # innermost first
  internal @3 :Text;
}

struct Outcome {
  state @0 :Text;          # done, failed, refused, interrupted
  text @1 :Text;
  errors @2 :List(Error);  # the error, what caused it, what caused that, ...
  seconds @3 :Float64;
  cpuSeconds @4 :Float64;
  checkpoint @5 :UInt64;   # number of the last durable checkpoint
}

struct ThreadRow {
  id @0 :Text;
  name @1 :Text;
  state @2 :Text;
  at @3 :Text;
  cpuMs @4 :UInt64;
  mailbox @5 :UInt32;      # messages that wait for it
  parent @6 :Text;         # KID of the thread that started it, or ""
  console @7 :Text;        # KID of the console that it prints to, or ""
  domain @8 :Text;         # what it may do: domain, grants and budget; "" for one that may do everything
  objects @9 :UInt32;      # objects that its variables and messages refer to
}

struct Status {
  world @0 :Text;
  checkpoints @1 :UInt64;
  number @2 :UInt64;
  threads @3 :UInt64;
  memory @4 :UInt64;
  running @5 :Bool;
}

struct Candidate {
  text @0 :Text;
  start @1 :Int32;
  what @2 :Text;
}

struct Row {
  name @0 :Text;
  value @1 :Text;
}

struct Description {
  title @0 :Text;
  rows @1 :List(Row);
  data @2 :Text;           # JSON
}

interface Terminal {
  # Held by the client.
  write @0 (text :Data) -> ();
  # Returns when the text is written: until then no more is sent.
  failed @1 (thread :Text, errors :List(Error)) -> ();
  # A thread that this terminal has started failed with the first error, and nobody joined it.
  note @2 (text :Text) -> ();
  # Something for the person at the terminal.
  ending @3 (why :Text) -> ();
  # The connection is about to end: what a call comes to that has no answer by then.
}

interface Watcher {
  # Held by the client while something takes long.
  progress @0 (phase :Text, done :UInt64, total :UInt64) -> ();
}

interface World {
  hello @0 (version :UInt32, terminal :Terminal) -> (fault :Fault, version :UInt32);
  # The first call.
  run @1 (program :Program) -> (fault :Fault, outcome :Outcome);
  interrupt @2 () -> (fault :Fault, done :Bool);
  # Ctrl-C: ends the program or entry that runs.
  threads @3 () -> (fault :Fault, rows :List(ThreadRow), more :UInt64);
  # More: so many others are alive, and left out.
  inspect @4 (what :Text, width :UInt32) -> (fault :Fault, description :Description);

  # Sessions.
  enter @5 (session :Text) -> (fault :Fault, name :Text);
  # Go into a session, a new one if there is none of this name.
  evaluate @6 (text :Data, width :UInt32, modules :List(Source)) -> (fault :Fault, outcome :Outcome);
  complete @7 (before :Text) -> (fault :Fault, candidates :List(Candidate));
  document @8 (what :Text) -> (fault :Fault, text :Text);
  source @9 (what :Text) -> (fault :Fault, text :Text);
  status @10 () -> (fault :Fault, status :Status);
  checkpoint @11 () -> (fault :Fault, number :UInt64);
  sessions @12 () -> (fault :Fault, names :List(Text));

  # The care of the world, while its programs go on.  A report is JSON.
  check @13 (watcher :Watcher) -> (fault :Fault, report :Text);
  collect @14 (watcher :Watcher) -> (fault :Fault, report :Text);
  # Delete garbage.
  measure @15 (watcher :Watcher) -> (fault :Fault, report :Text);
  export @16 (target :Terminal, watcher :Watcher) -> (fault :Fault, lines :UInt64);
  # The text is written to the target.
  backup @17 (target :Text) -> (fault :Fault, checkpoint :UInt64);
  # The target is an absolute path: both sides are processes of the same user, who may write there anyway.

  # Single threads, by their KIDs.
  act @18 (thread :Text, what :Text) -> (fault :Fault, row :ThreadRow, done :Bool);
  # kill, suspend, resume or step; not done: it takes longer.
  log @19 (thread :Text, first :Int64, numbers :Bool) -> (fault :Fault, first :UInt64, end :UInt64);
  # The lines of its console are written to the terminal, from that number on (below 0: so many of the last ones).
  # Answers with the number of the first line that was there, and of the next one that will be printed.
  attach @20 (thread :Text, first :Int64) -> (fault :Fault, outcome :Outcome);
  # The same, then the lines that it prints; answers when the thread has ended.
  start @21 (program :Program) -> (fault :Fault, thread :Text);
  # Begin a program that this terminal does not wait for, and that goes on without it.
  frame @22 (thread :Text, number :UInt32, text :Data, width :UInt32, variable :Text)
      -> (fault :Fault, outcome :Outcome);
  # The value of an expression among the variables of one of its frames, 0 being the innermost.  In a session.
  # Where a variable of the frame is named, it gets the value.
  look @23 () -> (fault :Fault);
  # This terminal only looks, again and again: nobody need keep the world open for it.
  tell @24 (thread :Text, line :Text) -> (fault :Fault);
  # Send a line to a thread, as a message; answers when there was room for it in the mailbox.
}
