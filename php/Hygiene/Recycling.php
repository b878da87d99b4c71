<?php

declare(strict_types=1);

namespace Proletarier\Hygiene;

/**
 * Asks for this worker to be replaced once its event is over. Once a worker: it is on its way out then.
 */
final class Recycling
{
    private bool $asked = false;

    /** @var callable(string): mixed */
    private $recycle;

    /**
     * @param callable(string): mixed $recycle gets the reason; by default proletarier_recycle()
     */
    public function __construct(?callable $recycle = null)
    {
        $this->recycle = $recycle ?? (function_exists('proletarier_recycle') ? 'proletarier_recycle' : static fn () => null);
    }

    public function ask(string $reason): void
    {
        if (!$this->asked) {
            $this->asked = true;
            ($this->recycle)($reason);
        }
    }
}
