// Package throttle decides how many texts may go now, so that the answers fit the people who have to answer.
//
// # The idea
//
// Texts are quick and answers are slow: half of those who will ask for help do so within hours, others after days, and the hands that
// call them back are few. Whoever sends until the queue is full has long sent too much. So [Decide] asks at each tick: if n more texts
// went out now and none after them, what would become of everybody who waits, and of everybody who is still going to answer? Sending can
// always go on later, so only what has been sent must fit. It releases the largest n that all limits allow; one of them binds, the
// [Decision] names it in a sentence, and a test holds the sentence to it: without that limit, more would go.
//
// # What is learned (for the engineer who knows no statistics)
//
// A text that has not been answered is not a no: it may still be. So nobody divides answers by texts here. Time since delivery is cut
// into twelve bins (response-hours, in which nights hardly count), and each text counts in a bin only as far as it has lived through it:
// that is its exposure. Answers in a bin against exposure in it say how likely a text is answered at that age.
//
//   - exposure: which bins the texts have been through. It starts at delivery; what is on the way counts as delivered now; texts that are
//     not delivered leave the counters. (evidence.exposure)
//   - answers: sorted into the bins by age. (evidence.answer)
//   - delay curves: four built-in ones, from fast to very slow, and those of earlier campaigns. Each keeps a weight, by how well it
//     explains what came, and bends a little where the answers say so. (evidence.fit, evidence.refine)
//   - strata: each practice or age band responds more or less than the whole; with few answers it is pulled towards the whole, the more
//     so the more alike the strata have turned out. (evidence.compareStrata)
//   - the present level: recent answers count more, with a half-life of six days. Silence is weak evidence; it may lower the level by
//     three tenths at most. (evidence.presentLevel)
//   - surges: for windows of 1 to 64 response-hours, how likely is what came if 1.6, 2.5, 4 or 6 times as many answered since? That is a
//     chance, and enters the risk as one. Who presses Start is counted too: it is the earlier signal. (evidence.lookForSurge)
//   - silence: if a tenth of the usual fits some hundred times better than the usual, the campaign is held and a person asked to try the
//     link. Nothing goes faster for it, and once explained the silence says nothing about the response. (evidence.silence)
//   - other referrals: a slow background by working hours, and waves when a link is passed on. (lookAtOthers)
//   - throughput: contacts made against the roster, counted only while there was somebody to call; and whether part of the team is
//     missing unannounced. (lookAtThroughput, throughput.lookForAbsence)
//   - capacity: weekly hours, leave, bank holidays, booked work, places under the caseload limits and planned discharges. (newGrid,
//     grid.capacity, limited.headroom)
//   - history: what a campaign taught, for the network's next. ([Learn], [PriorFrom], evidence.expect)
//
// # How it is reckoned (for the statistician who knows no Go)
//
// Answers in bin k of stratum s are Poisson with mean p theta_s phi_k G_sk, G being the exposure: a piecewise exponential model, in which
// censoring is exact. p is Gamma (shape .5 and mean 1.5 % before any campaign); phi is a mixture over the curves with closed-form weights,
// each refined with a Dirichlet-like prior of three answers a bin; theta_s is Gamma with mean 1, its shape weighed over a grid by marginal
// likelihood. The forecast is linear in n. Its variance collects the Poisson noise, the level, the curve's open bins, the strata (shared
// by what has been sent and what would be), a day's mood, and a rest that no model explains; the sum is matched by a Gamma and its tail
// read off by Wilson and Hilferty's cube root. Nothing is drawn by lot: the same arguments give the same bits, and a stored state can be
// replayed.
//
// Somebody waits too long if, for a window from v to u, those who come in it (and those who wait, if v is now) are more than can be called
// from v until the promise of the last runs out. Checkpoints lie just before the work clock moves on, so Monday 09:00 has all of the
// weekend in it. Capacity is uncertain too (uneven calls, good and bad days); three points stand for it, because noise in it must not
// fatten the tail of the arrivals.
//
// # The limits
//
//   - LimitRisk: the chance that anybody waits longer than the promise stays below 3 %, less for a small team, in which one person is a
//     larger share, and less until some seventy people have answered. (outlook.risk, outlook.tolerable)
//   - LimitSetPoint: the mean queue stays near a quarter of what can be called within the promise, so that nobody is idle and a surprise
//     finds room; more before and after a long closure, whose answers come upon nobody, more the slower people answer, and less if they answer
//     at once, for then the next batch is felt within the hour. (outlook.setPoint, target, outlook.relax, outlook.haste)
//   - LimitStress: three times the answers and a quarter of the team lost until the next closure, or .64 of the team lost within the promise,
//     would still be survived, on average; where people are known to answer slowly both are less, down to twice the answers and .3. (outlook.stress,
//     outlook.reserve)
//   - LimitMaturity: while there are few answers, texts do not run ahead of those that have had their time. Slow answers look like no
//     answers. What one practice has shown says little of the next, so that the first texts to it go by what was believed before the
//     campaign as well. (desk.maturity, evidence.seenStrata)
//   - LimitNobody: no more than a sliver of the answers comes when nobody could call in time. (outlook.nobody)
//   - LimitSenior: an urgent referral that nobody claims goes to the senior on duty after half an hour of working time, and to the manager
//     after another. So no text leaves if less than two thirds of its answers would find a senior at work within that hour. When answers
//     come is the mean of the built-in curves, a third within the hour and half within five: a senior who works Mondays to Wednesdays lets
//     texts go until Wednesday afternoon, and again on Friday late, when most of the answers find Monday; one who works mornings lets none
//     go in the first hours of the afternoon. The curve is fixed on purpose: people must be able to foresee what a roster does. Where
//     nobody at all could call it is LimitNobody; like that, it does not look at a campaign with Blast, which exists to show what
//     happens without people. A state of before has no NeedSenior and is decided as it was. (grid.lookForSeniors, grid.seniorless)
//   - LimitBrake: a queue near all that can be called stops everything until it has drained well. (outlook.brake)
//   - LimitSilence, LimitHeld, LimitPaused, LimitListAge, LimitWindow, LimitDailyCap, LimitBudget, LimitRate, LimitList, LimitMinBatch,
//     LimitCaseloads: what people, the law and the sender set. (desk.limits)
//
// Set-point and stress are eased for the last stretch: if all that is left may go at once with a longer queue (.55 instead of .25 of what can
// be cleared) and a smaller reserve, it goes. While the list goes on, a longer queue gains nothing, since each place in it is filled again
// within hours, and is a danger for weeks; at the end it gains its whole length, once. (outlook.rest, reserve.last)
//
// Campaigns that share a team share one forecast; what the team's limits allow is poured out in proportion to what each has planned, so
// two campaigns never both believe that they own the capacity (pour, split). A list in a given order is gone along in stretches, because
// whom a batch reaches depends on its size (desk.goAlong).
//
// # What was tried, and what was kept
//
// Measured with package sim on fresh seeds; `wellpaced simulate` repeats it.
//
//   - Planning over the week. Answers of Friday's texts come upon nobody until Monday, and a greedy pacer that fills Friday idles Friday
//     afternoon. Kept: a somewhat longer queue on the last morning before a closure (eveExtra) and a low ceiling after it (relaxed); more of
//     the former is quicker, and late when half the team falls ill on a Friday. Dropped: letting
//     Monday's queue grow by what the weekend has brought; it gained nothing and made a Monday without staff late.
//   - Half the team gone. A reserve of .64 of the team's time within the promise costs less than a larger reserve for surges and does more
//     against both announced and silent sickness. Dropped, since they moved along the same frontier and not beyond it: to count the rest of
//     today in full once today's hours have shown who is there; to take a suspected absence for three times as likely; a longer queue
//     (.33) with a larger reserve (.67); a lower ceiling after a weekend. A sign such as "no call by half past ten" is in the contacts by
//     half hours already (lookForAbsence).
//   - The last stretch: 1 to 4 % of the time everywhere. With the usual risk two runs in a hundred of world 01 failed for it, hence a quarter
//     of it (endRisk). It is a smaller reserve for the last days, and a surge or an illness that begins in them finds it so.
//   - Reserves that shrink where people are known to answer slowly, and a risk of 3 %: a sixth of the time in world 06, half of it the
//     surge's, which comes slowly there and is seen days before most of it is there. The same from the first answers on made one run in
//     fourteen late in the second week, when a slow curve still looks fast; hence tolerable asks for seventy.
//   - The first texts to an unknown practice by the rate of those before: dropped. After a first practice that hardly answered, 3,600 texts
//     went to the second in an hour; five runs in a hundred of world 13 were late for it, now one.
//   - The next day's band. A Gamma is no count: its band of nine tenths held 65 of 100 of a team of one and 82 of bursty answers. It is
//     negative binomial now, and the days' moods even out over the days whose texts are still answered (mixed.counts, outlook.moods). The
//     simulator spreads each count over its unit before it looks (the randomised probability integral transform), the only way in which a
//     band of noughts and ones can hold half of them.
//   - Chances of a change as probabilities. A surge or an absence that might begin any day is the business of the reserve; only the part of
//     its chance that evidence adds goes into the risk (beyond). Counting all of it made the pacer a tenth slower and no safer.
//   - Calls are much less random than chance arrivals (coefficient of variation one half): counting that noticed half a team missing in
//     about a day instead of two.
//   - A window may be judged only if enough lies before it (comparable): else one grain of the counters makes a silence out of nothing, and
//     each explained silence makes the next.
//   - More risk (3 % for .3 %): kept, since the set-point and the reserves carry the shocks and the old figure only emptied the Thursdays
//     of slow answerers; but not before there are answers, or a list that answers far more than expected floods the team on its first day.
//   - A set-point that is the same share for all: dropped; large teams need less of a queue for their size, small ones more.
//
// Package sim makes up towns and drives the same Decide through them. [WhatIf] plays a few hundred futures of a team under a changed policy,
// with a quick copy of these rules that shares their constants, and says when the last text would go and how likely somebody is called too
// late (futures.go, future.go, timeline.go).
package throttle
