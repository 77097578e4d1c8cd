package throttle

import "time"

// Bins is the number of delay bins in which a campaign's answers are counted, by response-hours since delivery.
const Bins = bins

// Lesson is what one campaign taught about how people answer. It holds no person and no practice, only sums.
type Lesson struct {
	Ended time.Time
	Texts float64 // delivered
	// Answers by delay bin, and the texts that have been through each bin.
	Answers, Through [Bins]float64
	// Spread is the variance of the strata's response relative to the whole, less what chance explains; 0 if it cannot be told.
	Spread float64
	// Starts per answer; 0 if none were counted.
	Starts float64
}

// Prior is what earlier campaigns of the same network let one expect of the next.
type Prior struct {
	// Mean answers per delivered text, and the certainty behind it as the shape of a Gamma.
	Mean, Shape float64
	// Curves are shares of answers by delay bin, with the weight of each; they join the built-in ones.
	Curves []WeightedCurve
	// Spread as in Lesson; 0 means unknown.
	Spread float64
	// Starts per answer; 0 means unknown.
	Starts float64
}

// WeightedCurve is a delay curve and how much it counts for.
type WeightedCurve struct {
	Weight float64
	Share  [Bins]float64
}
