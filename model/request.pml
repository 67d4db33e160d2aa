/*
 * The life of a request: attempts and counts, claims, steps, numbered reports, asks, cancel, floor, death.
 *
 * One publisher (bus/requests.go and what belongs to it), one or two nodes with one endpoint each (bus/claims.go and what
 * belongs to it), Redis between them. Each alternative of a process is one event of a machine, and is atomic, as a call of a
 * machine is under its lock. README.md says what is left out, and which line of the model is which in the code.
 *
 * Sizes and faults are set with -D; what is not set does not happen. Mechanisms are switched off with -DNO_...
 */

#ifndef NODES
#define NODES 1
#endif
#ifndef REQUESTS
#define REQUESTS 1
#endif
#ifndef ATTEMPTS
#define ATTEMPTS 3
#endif
#ifndef LOSSES          /* packets that are counted and never read */
#define LOSSES 0
#endif
#ifndef COUNTS          /* counts that never come back */
#define COUNTS 0
#endif
#ifndef GAPS            /* falls of a node's lane */
#define GAPS 0
#endif
#ifndef CRASHES
#define CRASHES 0
#endif
#ifndef HASTE           /* timers that end before it is quiet */
#define HASTE 0
#endif
#ifndef KEEP            /* batches that a node keeps for a publisher */
#define KEEP 15
#endif
#ifndef HERE            /* nodes with an endpoint at the beginning, a bit each */
#define HERE 3
#endif

#define BATCHES (REQUESTS * (ATTEMPTS + 2))

#define RN(r, n) ((r) * NODES + (n))            /* request and node */
#define RA(r, a) ((r) * (ATTEMPTS + 1) + (a))   /* request and attempt, from 1 */
#define BN(n, b) ((n) * (BATCHES + 1) + (b))    /* node and batch, from 1 */

#if NODES == 1
#define SUM(f, r) f(r, 0)
#else
#define SUM(f, r) (f(r, 0) + f(r, 1))
#endif

/* Stages of a delivery, and outcomes of a receipt. */
#define NOTHING     0
#define CLAIMED     1
#define WRITTEN     2
#define CONFIRMED   3
#define REJECTED    4
#define UNKNOWN     5
#define UNCONFIRMED 6
#define EXPIRED     7
#define TOO_FEW     8
#define NO_RECEIVER 9

/* What a batch of reports says: a stage from above, or a claim. Here a batch has one entry. */
#define CLAIM_NONE  10
#define CLAIM_ONE   11

/* What lies on a lane. */
#define BATCH  1
#define TALLY  2
#define ASK    3
#define CANCEL 4

/* States of an attempt (pending.go, tryState). */
#define OPEN    0
#define COUNTED 1
#define LOST    2

/* Why a request ends (verdict.go, end). */
#define MET       1
#define SETTLED   2
#define TIME_OVER 3
#define GAVE_UP   4

/* ---- Redis, and the lanes from it -------------------------------------------------------------------------------------- */

chan msgLane[NODES] = [REQUESTS * ATTEMPTS] of { byte, byte, byte };   /* request, attempt, floor */
chan ctlLane[NODES] = [REQUESTS + 1] of { byte, byte, byte };          /* ASK highest floor, CANCEL request */
chan repLane[NODES] = [BATCHES + 1] of { byte, byte, byte };           /* BATCH number, TALLY lowest lost */

bool sub[NODES];        /* Redis holds the node's subscription to the address */
bool beacon[NODES];     /* and to the beacon */
bool fallen[NODES];     /* the node has not noticed yet, or subscribes again */
byte copies[REQUESTS * NODES];  /* under way */
byte lossesLeft = LOSSES;
byte countsLeft = COUNTS;
byte gapsLeft = GAPS;
byte crashesLeft = CRASHES;
byte hasteLeft = HASTE;

/* ---- the publisher ----------------------------------------------------------------------------------------------------- */

bool started[REQUESTS];
bool over[REQUESTS];
bool haunts[REQUESTS];          /* over, and copies may be under way (ghosts) */
bool done[REQUESTS];            /* released from the window */
bool complete[REQUESTS];
byte outcome[REQUESTS];
byte tries[REQUESTS];
byte tryState[REQUESTS * (ATTEMPTS + 1)];
byte tryCount[REQUESTS * (ATTEMPTS + 1)];
byte tryClaims[REQUESTS * (ATTEMPTS + 1)];
bool tryGuarded[REQUESTS * (ATTEMPTS + 1)];
bool tryProof[REQUESTS * (ATTEMPTS + 1)];
byte wireBeacons[REQUESTS];     /* of the guarded attempt whose result is on its way */
byte wireMembers[REQUESTS];     /* whom the publisher knew when it sent it */
byte answered[REQUESTS * NODES];        /* the latest attempt that the node answered */
byte stage[REQUESTS * NODES];           /* of the delivery there; NOTHING: none was claimed */
byte next[NODES];               /* batch that comes next */
short held[NODES];              /* batches that came before their turn, a bit each */
byte asking[NODES];             /* ASK or TALLY is under way */
byte waiting[NODES];            /* asks without an answer, 2 at most */
bool unasked[NODES];            /* reports were heard since the last ask */
bool member[NODES];             /* as the publisher knows it */

/* ---- the nodes --------------------------------------------------------------------------------------------------------- */

bool alive[NODES];
bool born[NODES];               /* it has begun */
bool here[NODES];               /* the endpoint is at the address */
byte record[REQUESTS * NODES];  /* NOTHING, CLAIMED, WRITTEN; SETTLED once it has */
#define RECORD_SETTLED 3
bool mute[REQUESTS * NODES];    /* the publisher waits no longer */
byte nodeFloor[NODES];
byte last[NODES];               /* batch that was sealed last */
byte lowest[NODES];             /* batch that can still be sent */
byte lost[NODES];               /* batch that was dropped for want of room */
byte saysKind[NODES * (BATCHES + 1)];
byte saysRequest[NODES * (BATCHES + 1)];
byte saysAttempt[NODES * (BATCHES + 1)];
short flying[NODES];            /* batches under way, a bit each */

/* ---- what really happened, which only the properties see --------------------------------------------------------------- */

byte seen[REQUESTS * NODES];    /* times the endpoint was handed the message */
bool wrote[REQUESTS * NODES];
bool acked[REQUESTS * NODES];
bool loyal[REQUESTS * NODES];   /* there since the request began */

#define IS_ANSWERED(r, n) (answered[RN(r, n)] > 0)
#define IS_EXPECTED(r, n) (stage[RN(r, n)] != NOTHING)
#define IS_OPEN(r, n)     (stage[RN(r, n)] == CLAIMED || stage[RN(r, n)] == WRITTEN)
#define IS_REACHED(r, n)  (stage[RN(r, n)] == CONFIRMED)
#define IS_REJECTED(r, n) (stage[RN(r, n)] == REJECTED)
#define IS_UNKNOWN(r, n)  (stage[RN(r, n)] == UNKNOWN)
#define IS_UNCONF(r, n)   (stage[RN(r, n)] == UNCONFIRMED)
#define IS_EXPIRED(r, n)  (stage[RN(r, n)] == EXPIRED)
#define IS_ACKED(r, n)    (acked[RN(r, n)])
#define IS_UNACKED(r, n)  (IS_EXPECTED(r, n) && !acked[RN(r, n)])
#define IS_SEEN(r, n)     (seen[RN(r, n)] > 0)
#define IS_LOYAL(r, n)    (loyal[RN(r, n)])
#define IS_WROTE(r, n)    (wrote[RN(r, n)])
#define IS_BUSY(r, n)     (alive[n] && (record[RN(r, n)] == CLAIMED || record[RN(r, n)] == WRITTEN))
#define IS_MEMBER(r, n)   (member[n])
#define IS_BEACON(r, n)   (beacon[n])

#if REQUESTS == 1
#define FLOOR done[0]
#define OPEN_AT(n) IS_OPEN(0, n)
#define ALL_STARTED started[0]
#define ALL_OVER over[0]
#define COUNTING (started[0] && tryState[RA(0, tries[0])] == OPEN)
#define BUSY SUM(IS_BUSY, 0)
#else
#define FLOOR (done[0] + (done[0] && done[1]))
#define OPEN_AT(n) (IS_OPEN(0, n) || IS_OPEN(1, n))
#define ALL_STARTED (started[0] && started[1])
#define ALL_OVER (over[0] && over[1])
#define COUNTING (started[0] && tryState[RA(0, tries[0])] == OPEN || started[1] && tryState[RA(1, tries[1])] == OPEN)
#define BUSY (SUM(IS_BUSY, 0) + SUM(IS_BUSY, 1))
#endif

#if NODES == 1
#define LANES_EMPTY (len(msgLane[0]) == 0 && len(ctlLane[0]) == 0 && len(repLane[0]) == 0 && !fallen[0])
#else
#define LANES_EMPTY (len(msgLane[0]) == 0 && len(ctlLane[0]) == 0 && len(repLane[0]) == 0 && !fallen[0] && \
                     len(msgLane[1]) == 0 && len(ctlLane[1]) == 0 && len(repLane[1]) == 0 && !fallen[1])
#endif

/* Nothing can happen but that time passes. */
#define QUIET (ALL_STARTED && LANES_EMPTY && !COUNTING && BUSY == 0)

/* Timers are long against what they wait for: they end when it is quiet, and HASTE times earlier. */
#define TIME_PASSES (QUIET || hasteLeft > 0)

inline passTime() {
	if
	:: QUIET
	:: else -> hasteLeft--
	fi
}

#define UNCLAIMED_OF(r, a) (tryState[RA(r, a)] == COUNTED && tryClaims[RA(r, a)] < tryCount[RA(r, a)])

byte i, j, whose, why;  /* inside one event */
bool flag;

/* ---- properties -------------------------------------------------------------------------------------------------------- */

/* Each receipt is held against what really happened, when it is given. */
inline judge(r) {
	assert(outcome[r] == NOTHING);                                          /* one outcome */
}

inline judgeOutcome(r) {
	if
	:: outcome[r] == CONFIRMED ->
#ifdef ALL
		assert(SUM(IS_UNACKED, r) == 0);
#endif
		assert(SUM(IS_ACKED, r) > 0)                                    /* confirmed: an endpoint acknowledged */
	:: outcome[r] == UNCONFIRMED -> assert(SUM(IS_WROTE, r) > 0)
	:: outcome[r] == NO_RECEIVER ->
		assert(SUM(IS_SEEN, r) == 0);                                   /* no_receiver: nobody got it */
		assert(SUM(IS_LOYAL, r) == 0)                                   /* and nobody was there */
	:: else
	fi
}

/* ---- the publisher's machine ------------------------------------------------------------------------------------------- */

/* The attempt as Redis executes it: copies for whom it counts. */
inline publish(r, guard) {
	assert(tries[r] == 0 || tryState[RA(r, tries[r])] != OPEN);             /* one attempt is out at a time */
	tries[r]++;
	tryGuarded[RA(r, tries[r])] = guard;
	for (i : 0 .. NODES - 1) {
		if
		:: sub[i] ->
			msgLane[i]!r, tries[r], FLOOR;
			copies[RN(r, i)]++;
			tryCount[RA(r, tries[r])]++
		:: else
		fi
	}
	wireBeacons[r] = SUM(IS_BEACON, r);
#ifndef AS_BUILT_PROOF
	wireMembers[r] = SUM(IS_MEMBER, r);
#endif
	i = 0
}

inline checkComplete(r, a) {
	if
	:: tryState[RA(r, a)] == COUNTED && tryClaims[RA(r, a)] >= tryCount[RA(r, a)] -> complete[r] = true
	:: else
	fi
}

inline release(r) {
	done[r] = true
}

/* Withdraws from nodes with open deliveries. */
inline withdraw(r) {
	for (j : 0 .. NODES - 1) {
		if
		:: IS_OPEN(r, j) && len(ctlLane[j]) <= REQUESTS -> ctlLane[j]!CANCEL, r, 0
		:: else
		fi
	}
	j = 0
}

/* What is open gets its outcome: written at a node that was heard within the last second is unconfirmed. */
inline giveUp(r) {
	for (j : 0 .. NODES - 1) {
		if
#ifdef GUESS
		:: stage[RN(r, j)] == WRITTEN -> stage[RN(r, j)] = CONFIRMED
#else
		:: stage[RN(r, j)] == WRITTEN -> stage[RN(r, j)] = UNCONFIRMED
#endif
		:: IS_OPEN(r, j) -> stage[RN(r, j)] = UNKNOWN
		:: !IS_OPEN(r, j)
		fi
	}
	j = 0
}

/* Whether somebody may have received it whom nobody heard of. */
inline countUnclaimed(r) {
	flag = !complete[r];
#ifndef NO_UNCLAIMED
	if
	:: tryState[RA(r, 1)] == COUNTED && tryCount[RA(r, 1)] > SUM(IS_ANSWERED, r) -> flag = true
	:: else
	fi;
	for (j : 1 .. ATTEMPTS) {
		if
		:: j <= tries[r] && SUM(IS_EXPECTED, r) == 0 && tryState[RA(r, j)] != COUNTED -> flag = true
#ifndef AS_BUILT_UNCLAIMED
		:: j <= tries[r] && SUM(IS_EXPECTED, r) == 0 && UNCLAIMED_OF(r, j) -> flag = true
#endif
		:: else
		fi
	}
	j = 0
#endif
}

/* flag says that unclaimed copies count as unknown. */
inline verdict(r, why) {
	if
	:: why == MET -> outcome[r] = CONFIRMED
#ifdef GUESS
	:: why != MET && SUM(IS_REACHED, r) > 0 -> outcome[r] = CONFIRMED
#endif
	:: else ->
		if
		:: SUM(IS_REJECTED, r) > 0 -> outcome[r] = REJECTED
		:: else ->
			if
			:: flag || SUM(IS_UNKNOWN, r) > 0 -> outcome[r] = UNKNOWN
			:: else ->
				if
				:: SUM(IS_UNCONF, r) > 0 -> outcome[r] = UNCONFIRMED
				:: else ->
					if
					:: SUM(IS_EXPIRED, r) > 0 -> outcome[r] = EXPIRED
					:: else ->
						if
						:: SUM(IS_EXPECTED, r) > 0 -> outcome[r] = TOO_FEW
						:: else -> outcome[r] = NO_RECEIVER
						fi
					fi
				fi
			fi
		fi
	fi
}

inline finish(r, why) {
	judge(r);
	if
	:: why != SETTLED -> withdraw(r)
	:: else
	fi;
	if
	:: complete[r] -> release(r)
	:: else -> haunts[r] = true
	fi;
	if
	:: why == TIME_OVER || why == GAVE_UP -> giveUp(r)
	:: else
	fi;
	flag = false;
	if
	:: why != MET -> countUnclaimed(r)
	:: else
	fi;
	verdict(r, why);
	flag = false;
	printf("publisher: request %d ends with outcome %d\n", r, outcome[r]);
#ifndef NO_TABLE
	over[r] = true;
#endif
	judgeOutcome(r);
	for (j : 0 .. NODES - 1) {      /* nothing is awaited any more */
		stage[RN(r, j)] = NOTHING
	}
	j = 0
}

#ifdef ALL
#define IS_MET(r) (complete[r] && SUM(IS_EXPECTED, r) > 0 && SUM(IS_REACHED, r) == SUM(IS_EXPECTED, r) && \
                   !(tryState[RA(r, 1)] == COUNTED && tryCount[RA(r, 1)] > SUM(IS_ANSWERED, r)))
#else
#define IS_MET(r) (SUM(IS_REACHED, r) > 0)
#endif

#if ATTEMPTS == 2
#define PROVEN_AT(r, a) (tryProof[RA(r, a)] && tryClaims[RA(r, a)] >= tryCount[RA(r, a)])
#define PROVEN(r) (PROVEN_AT(r, 1) || PROVEN_AT(r, 2))
#else
#define PROVEN_AT(r, a) (tryProof[RA(r, a)] && tryClaims[RA(r, a)] >= tryCount[RA(r, a)])
#define PROVEN(r) (PROVEN_AT(r, 1) || PROVEN_AT(r, 2) || PROVEN_AT(r, 3) || PROVEN_AT(r, ATTEMPTS))
#endif

inline evaluate(r) {
	why = 0;
	if
	:: over[r]
	:: !over[r] && IS_MET(r) -> why = MET
	:: !over[r] && !IS_MET(r) && complete[r] && SUM(IS_OPEN, r) == 0 ->
		if
#ifdef NO_GUARD
		:: true -> why = SETTLED
#else
		:: SUM(IS_EXPECTED, r) > 0 || PROVEN(r) -> why = SETTLED
		:: else ->
			complete[r] = false;
			if
			:: !tryGuarded[RA(r, tries[r])] && tries[r] < ATTEMPTS -> publish(r, true)
			:: else
			fi
#endif
		fi
	:: else
	fi;
	if
	:: why != 0 -> finish(r, why)
	:: else
	fi;
	why = 0
}

/* The result of the attempt that is out. */
inline counted(r, to) {
	tryState[RA(r, tries[r])] = to;
	tryProof[RA(r, tries[r])] = to == COUNTED && tryGuarded[RA(r, tries[r])] && wireBeacons[r] >= SUM(IS_MEMBER, r) &&
		wireBeacons[r] >= wireMembers[r];
	wireBeacons[r] = 0;
	wireMembers[r] = 0;
	checkComplete(r, tries[r]);
	ended(r)
}

inline ended(r) {
	if
	:: over[r] -> lay(r)
	:: else -> evaluate(r)
	fi
}

/* A request that is over lets the floor go once every copy of it has been answered. */
inline lay(r) {
	if
	:: haunts[r] && complete[r] -> haunts[r] = false; release(r)
	:: else
	fi
}

/* Nobody hears an ask while the lane is down that it would come on. */
inline ask(n) {
	if
	:: asking[n] == 0 ->
		unasked[n] = false;
		if
		:: waiting[n] < 2 -> waiting[n]++
		:: else
		fi;
		if
		:: alive[n] && !fallen[n] -> asking[n] = ASK; ctlLane[n]!ASK, next[n] - 1, FLOOR
		:: else
		fi
	:: else
	fi
}

inline claim(r, n, a, one) {
	if
	:: a > answered[RN(r, n)] ->
		answered[RN(r, n)] = a;
		tryClaims[RA(r, a)]++;
		checkComplete(r, a);
		if
		:: over[r] && one && haunts[r] && len(ctlLane[n]) <= REQUESTS -> ctlLane[n]!CANCEL, r, 0
		:: !over[r] && one && stage[RN(r, n)] == NOTHING -> stage[RN(r, n)] = CLAIMED
		:: else
		fi
	:: else
	fi
}

#ifdef NO_CORRELATION           /* a step is taken for the oldest request that is under way */
#define STEP_OF(r) (started[0] && !over[0] -> 0 : r)
#else
#define STEP_OF(r) r
#endif

/* Takes the batch whose turn has come. */
inline apply(n) {
	whose = saysRequest[BN(n, next[n])];
	if
	:: saysKind[BN(n, next[n])] >= CLAIM_NONE ->
		claim(whose, n, saysAttempt[BN(n, next[n])], (saysKind[BN(n, next[n])] == CLAIM_ONE))
	:: else ->
		whose = STEP_OF(whose);
		if
		:: !over[whose] && IS_OPEN(whose, n) -> stage[RN(whose, n)] = saysKind[BN(n, next[n])]
		:: else
		fi
	fi;
	held[n] = held[n] & ~(1 << next[n]);
	next[n]++;
	ended(whose);
	whose = 0
}

/* What is open at a node of which nothing more will be heard. */
inline silentFor(r, n) {
	if
	:: !over[r] && IS_OPEN(r, n) -> stage[RN(r, n)] = UNKNOWN; evaluate(r)
	:: else
	fi
}

inline silent(n) {
	silentFor(0, n);
#if REQUESTS == 2
	silentFor(1, n)
#endif
}

inline batchCame(n, number) {
	flying[n] = flying[n] & ~(1 << number);
	unasked[n] = true;
	if
	:: number < next[n]
	:: else -> held[n] = held[n] | (1 << number)
	fi;
	if
#ifdef NO_ORDER         /* what is missing is passed over */
	:: number > next[n] -> next[n] = number
#elif !defined(NO_ASK)
	:: number > next[n] -> ask(n)
#endif
	:: else
	fi
}

inline tallyCame(n, low, gone) {
	asking[n] = 0;
	if
	:: low > next[n] ->
		flag = next[n] <= gone;
		next[n] = low;
		held[n] = held[n] & ~((1 << low) - 1);
		if
#ifndef NO_LOST
		:: flag -> flag = false; silent(n)
#endif
		:: else -> flag = false
		fi
	:: else
	fi
}

inline heard(n) {
	waiting[n] = 0;
	if
	:: kind == BATCH -> batchCame(n, x)
	:: else -> tallyCame(n, x, y)
	fi;
	do
	:: held[n] & (1 << next[n]) -> apply(n)
	:: else -> break
	od;
	kind = 0; x = 0; y = 0
}

inline start(r) {
	started[r] = true;
	for (j : 0 .. NODES - 1) {
		loyal[RN(r, j)] = alive[j] && here[j]
	}
	j = 0;
	publish(r, false)
}

#define IS_COPY(r, n) (copies[RN(r, n)])
#define MAY_RESEND(r) (started[r] && !over[r] && !complete[r] && tryState[RA(r, tries[r])] != OPEN && tries[r] < ATTEMPTS)

/* A node is asked twice before it is silent. */
#define MAY_ASK(n) (asking[n] == 0 && (OPEN_AT(n) || unasked[n]) && waiting[n] < 2)
#define MAY_FALL_SILENT(n) (OPEN_AT(n) && waiting[n] == 2)

/* A dead node is no member any more. As built, so is one that Redis has held no connection of for a while. */
#ifdef AS_BUILT_DEATH
#define MAY_DIE(n) (member[n] && (!alive[n] || fallen[n]))
#else
#define MAY_DIE(n) (member[n] && !alive[n] && born[n])
#endif

inline ghostEnds(r) {
	haunts[r] = false;
	complete[r] = true;
	release(r)
}

#define IS_STARTING(r) (!started[r] && (r == 0 || started[0]))
#define IS_COUNTING(r) (started[r] && tryState[RA(r, tries[r])] == OPEN)

/* What happens to one request of the publisher. */
proctype Request(byte r) {
end:	do
	:: atomic { IS_STARTING(r) -> start(r) }
	/* the count of an attempt comes, or never will */
	:: atomic { IS_COUNTING(r) ->
		if
		:: counted(r, COUNTED)
#if COUNTS > 0
		:: countsLeft > 0 -> countsLeft--; counted(r, LOST)
#endif
		fi }
	/* timers: the next attempt, the deadline, the end of a ghost (no copy is under way for longer) */
#ifndef NO_RESEND
	:: atomic { MAY_RESEND(r) && TIME_PASSES -> passTime(); publish(r, SUM(IS_EXPECTED, r) == 0) }
#endif
#ifdef DEADLINE
	:: atomic { started[r] && !over[r] && TIME_PASSES -> passTime(); finish(r, TIME_OVER) }
#endif
	:: atomic { haunts[r] && SUM(IS_COPY, r) == 0 && TIME_PASSES -> passTime(); ghostEnds(r) }
#ifdef CANCELS
	:: atomic { started[r] && !over[r] -> finish(r, GAVE_UP) }
#endif
	od
}

/* What the publisher hears from one node, and its silence. */
proctype Peer(byte n) {
	byte kind, x, y;
end:	do
	:: atomic { len(repLane[n]) > 0 -> repLane[n]?kind, x, y; heard(n) }
#ifndef NO_ASK
	:: atomic { MAY_ASK(n) && TIME_PASSES -> passTime(); ask(n) }
#endif
#ifndef NO_SILENCE
	:: atomic { (MAY_FALL_SILENT(n) || MAY_DIE(n)) && TIME_PASSES -> passTime();
		if
		:: MAY_FALL_SILENT(n) -> waiting[n] = 0
		:: MAY_DIE(n) -> member[n] = false
		fi;
		silent(n) }
#endif
	od
}

/* ---- a node's machine -------------------------------------------------------------------------------------------------- */

/* Seals a batch of one entry, and sends it. */
inline report(n, what, r, a) {
	assert(last[n] < BATCHES);
	last[n]++;
	saysKind[BN(n, last[n])] = what;
	saysRequest[BN(n, last[n])] = r;
	saysAttempt[BN(n, last[n])] = a;
	if
	:: last[n] - lowest[n] >= KEEP -> lost[n] = lowest[n]; lowest[n]++
	:: else
	fi;
	send(n, last[n])
}

inline send(n, number) {
	flying[n] = flying[n] | (1 << number);
	repLane[n]!BATCH, number, 0
}

/* Forgets what has settled below the floor. */
inline settleBelow(n, r) {
	if
	:: r < nodeFloor[n] && record[RN(r, n)] == RECORD_SETTLED -> record[RN(r, n)] = NOTHING
	:: else
	fi
}

inline raise(n, floor) {
	if
	:: floor > nodeFloor[n] ->
		nodeFloor[n] = floor;
		for (i : 0 .. REQUESTS - 1) {
			settleBelow(n, i)
		}
		i = 0
	:: else
	fi
}

inline deliver(n, r) {
	seen[RN(r, n)]++;
	printf("node %d: request %d is handed to the endpoint\n", n, r);
	assert(seen[RN(r, n)] <= 1);            /* an endpoint gets an ID once */
	assert(r >= nodeFloor[n]);              /* and nothing from below the floor */
	assert(outcome[r] != NO_RECEIVER)       /* and nobody was said to be there */
}

inline arrive(n, r, a, floor) {
	copies[RN(r, n)]--;
	raise(n, floor);
	if
	:: record[RN(r, n)] != NOTHING ->
#ifdef NO_DEDUPE
		deliver(n, r);
#endif
		report(n, CLAIM_ONE, r, a)
#ifndef NO_FLOOR
	:: record[RN(r, n)] == NOTHING && r < nodeFloor[n] ->
		skip
#endif
	:: else ->
		if
		:: here[n] ->
			record[RN(r, n)] = CLAIMED;
			mute[RN(r, n)] = false;
			report(n, CLAIM_ONE, r, a);
			deliver(n, r)
		:: else -> report(n, CLAIM_NONE, r, a)
		fi
	fi
}

/* The publisher has heard all up to the highest. It gets a tally and what it is missing. */
inline asked(n, highest, floor) {
	raise(n, floor);
	do
	:: lowest[n] <= highest ->
		saysKind[BN(n, lowest[n])] = 0;
		saysRequest[BN(n, lowest[n])] = 0;
		saysAttempt[BN(n, lowest[n])] = 0;
		lowest[n]++
	:: else -> break
	od;
	asking[n] = TALLY;
	repLane[n]!TALLY, lowest[n], lost[n];
#ifndef NO_BATCH_RESEND
	for (i : 1 .. BATCHES) {
		if
		:: i >= lowest[n] && i <= last[n] && !(flying[n] & (1 << i)) -> send(n, i)
		:: else
		fi
	}
	i = 0
#endif
}

inline settle(n, r, to) {
	record[RN(r, n)] = RECORD_SETTLED;
	if
	:: !mute[RN(r, n)] -> report(n, to, r, 0)
	:: else
	fi;
	settleBelow(n, r)
}

inline written(n, r) {
	record[RN(r, n)] = WRITTEN;
	wrote[RN(r, n)] = true;
	if
	:: !mute[RN(r, n)] -> report(n, WRITTEN, r, 0)
	:: skip
	fi
}

#define RECORD(r, n) (alive[n] && record[RN(r, n)] == CLAIMED)
#define RECORD_WRITTEN(r, n) (alive[n] && record[RN(r, n)] == WRITTEN)

/* A record goes a while after its deadline, when no copy can be under way. */
#ifdef EARLY_FORGET
#define MAY_FORGET(r, n) (record[RN(r, n)] == RECORD_SETTLED)
#else
#define MAY_FORGET(r, n) (record[RN(r, n)] == RECORD_SETTLED && over[r] && copies[RN(r, n)] == 0)
#endif

proctype Node(byte n) {
	byte x, y, z;
end:	do
	:: atomic { alive[n] && len(msgLane[n]) > 0 -> msgLane[n]?x, y, z; arrive(n, x, y, z); x = 0; y = 0; z = 0 }
	:: atomic { alive[n] && len(ctlLane[n]) > 0 -> ctlLane[n]?z, x, y;
		if
		:: z == ASK -> asked(n, x, y)
		:: else -> mute[RN(x, n)] = true
		fi;
		x = 0; y = 0; z = 0 }
	/* the endpoint: written, then acknowledged or refused, or the deadline passes; writing may not be reported by itself */
	:: atomic { RECORD(0, n) -> written(n, 0) }
	:: atomic { RECORD(0, n) -> settle(n, 0, EXPIRED) }
	:: atomic { RECORD_WRITTEN(0, n) -> acked[RN(0, n)] = true; settle(n, 0, CONFIRMED) }
	:: atomic { RECORD_WRITTEN(0, n) -> settle(n, 0, REJECTED) }
	:: atomic { RECORD_WRITTEN(0, n) -> settle(n, 0, UNCONFIRMED) }
	:: atomic { alive[n] && MAY_FORGET(0, n) -> record[RN(0, n)] = NOTHING }
#if REQUESTS == 2
	:: atomic { RECORD(1, n) -> written(n, 1) }
	:: atomic { RECORD(1, n) -> settle(n, 1, EXPIRED) }
	:: atomic { RECORD_WRITTEN(1, n) -> acked[RN(1, n)] = true; settle(n, 1, CONFIRMED) }
	:: atomic { RECORD_WRITTEN(1, n) -> settle(n, 1, REJECTED) }
	:: atomic { RECORD_WRITTEN(1, n) -> settle(n, 1, UNCONFIRMED) }
	:: atomic { alive[n] && MAY_FORGET(1, n) -> record[RN(1, n)] = NOTHING }
#endif
	od
}

/* ---- what happens to them ---------------------------------------------------------------------------------------------- */

inline loseMsg(n) {
	msgLane[n]?x, y, z;
	copies[RN(x, n)]--;
	x = 0; y = 0; z = 0
}

inline loseCtl(n) {
	ctlLane[n]?x, y, z;
	if
	:: x == ASK -> asking[n] = 0
	:: else
	fi;
	x = 0; y = 0; z = 0
}

inline loseRep(n) {
	repLane[n]?x, y, z;
	if
	:: x == TALLY -> asking[n] = 0
	:: else -> flying[n] = flying[n] & ~(1 << y)
	fi;
	x = 0; y = 0; z = 0
}

inline loseLanes(n) {
	do
	:: len(msgLane[n]) > 0 -> loseMsg(n)
	:: len(msgLane[n]) == 0 && len(ctlLane[n]) > 0 -> loseCtl(n)
	:: len(msgLane[n]) == 0 && len(ctlLane[n]) == 0 -> break
	od
}

inline leaves(n) {
	for (i : 0 .. REQUESTS - 1) {
		loyal[RN(i, n)] = false
	}
	i = 0
}

/* The process dies: what it had not read is gone, and perhaps what it had reported last. */
inline crash(n) {
	alive[n] = false; sub[n] = false; beacon[n] = false; fallen[n] = false; here[n] = false;
	leaves(n);
	loseLanes(n);
	for (i : 0 .. REQUESTS - 1) {
		record[RN(i, n)] = NOTHING;
		mute[RN(i, n)] = false
	}
	i = 0;
	if
	:: skip
	:: do
	   :: len(repLane[n]) > 0 -> loseRep(n)
	   :: else -> break
	   od
	fi
}

/* Trouble(n) is what may happen at one node, and to what lies on lanes. */
proctype Trouble(byte n) {
	byte x, y, z;
end:	do
	:: false                /* where nothing may happen */
#if LOSSES > 0
	:: atomic { lossesLeft > 0 && len(msgLane[n]) > 0 -> lossesLeft--; loseMsg(n) }
	:: atomic { lossesLeft > 0 && len(ctlLane[n]) > 0 -> lossesLeft--; loseCtl(n) }
	:: atomic { lossesLeft > 0 && len(repLane[n]) > 0 -> lossesLeft--; loseRep(n) }
#endif
#if CRASHES > 0
	:: atomic { crashesLeft > 0 && alive[n] -> crashesLeft--; crash(n) }
#endif
#if GAPS > 0
	/* Redis drops the lane; what lies unread at the node is still read, or discarded when it opens a new one; beacon last */
	:: atomic { gapsLeft > 0 && alive[n] && beacon[n] -> gapsLeft--; sub[n] = false; beacon[n] = false; fallen[n] = true }
#ifdef BEACON_FIRST
	:: atomic { alive[n] && fallen[n] && !beacon[n] -> loseLanes(n); beacon[n] = true }
	:: atomic { alive[n] && fallen[n] && beacon[n] -> sub[n] = here[n]; fallen[n] = false }
#else
	:: atomic { alive[n] && fallen[n] && !sub[n] && here[n] -> loseLanes(n); sub[n] = true }
	:: atomic { alive[n] && fallen[n] && (sub[n] || !here[n]) -> loseLanes(n); beacon[n] = true; fallen[n] = false }
#endif
	/* a node that is alive announces itself again */
	:: atomic { alive[n] && !fallen[n] && !member[n] && n == 0 -> member[n] = true }
#endif
#ifdef NEWCOMER
	/* node 1 comes late: it is known before its beacon counts, then has an endpoint, and loses it */
	:: atomic { n == 1 && !born[n] -> born[n] = true; alive[n] = true;
#ifdef AS_BUILT_NEWCOMER
		beacon[n] = true }
	:: atomic { n == 1 && alive[n] && !member[n] -> member[n] = true }
#else
		member[n] = true }
	:: atomic { n == 1 && alive[n] && !beacon[n] && !fallen[n] -> beacon[n] = true }
#endif
	:: atomic { n == 1 && alive[n] && member[n] && beacon[n] && !sub[n] -> sub[n] = true; here[n] = true }
	:: atomic { n == 1 && alive[n] && here[n] -> here[n] = false; leaves(n) }
#endif
#ifdef LEAVER
	/* node 1, which has no endpoint, leaves: its beacon goes before its goodbye */
#ifdef AS_BUILT_LEAVER
	:: atomic { n == 1 && alive[n] && member[n] -> member[n] = false }
	:: atomic { n == 1 && alive[n] && !member[n] -> alive[n] = false; beacon[n] = false; sub[n] = false }
#else
	:: atomic { n == 1 && alive[n] && beacon[n] -> beacon[n] = false; sub[n] = false }
	:: atomic { n == 1 && alive[n] && !beacon[n] -> alive[n] = false; member[n] = false }
#endif
#endif
	od
}

init {
	atomic {
		for (i : 0 .. NODES - 1) {
			next[i] = 1;
			lowest[i] = 1;
			if
#ifdef NEWCOMER
			:: i == 1
#endif
			:: else ->
				born[i] = true; alive[i] = true; member[i] = true; beacon[i] = true;
				here[i] = (HERE >> i) & 1;
				sub[i] = here[i]
			fi
		}
		i = 0;
		run Request(0);
#if REQUESTS == 2
		run Request(1);
#endif
		run Peer(0);
		run Node(0);
		run Trouble(0);
#if NODES == 2
		run Peer(1);
		run Node(1);
		run Trouble(1);
#endif
	}
}

#ifdef LIVENESS
ltl ends { <> ALL_OVER }
#endif
