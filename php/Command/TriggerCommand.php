<?php

declare(strict_types=1);

namespace Proletarier\Command;

use Proletarier\Exception\InvalidArgument;
use Symfony\Component\Console\Command\Command;
use Symfony\Component\Console\Input\InputArgument;
use Symfony\Component\Console\Input\InputInterface;
use Symfony\Component\Console\Input\InputOption;
use Symfony\Component\Console\Output\OutputInterface;

/**
 * Triggers an event and prints its id. Confirmed by the broker unless --confirm says otherwise: whoever types a command wants to know.
 */
final class TriggerCommand extends Command
{
    /**
     * @param object $container the application's, with get() and has()
     */
    public function __construct(private object $container)
    {
        parent::__construct('trigger');
    }

    protected function configure(): void
    {
        $this
            ->setDescription('Trigger an event and print its id')
            ->addArgument('event', InputArgument::REQUIRED, 'The name of the event')
            ->addArgument('params', InputArgument::OPTIONAL, 'Its params: a JSON object', '{}')
            ->addOption('confirm', null, InputOption::VALUE_REQUIRED, 'none, deferred, accepted or synced', 'accepted')
            ->addOption('delay', null, InputOption::VALUE_REQUIRED, 'Seconds until it is due')
            ->addOption('queue', null, InputOption::VALUE_REQUIRED, 'The queue it goes to')
            ->addOption('key', null, InputOption::VALUE_REQUIRED, 'Events with the same key are handled one after the other')
            ->addOption('id', null, InputOption::VALUE_REQUIRED, 'An id of your own')
            ->addUsage('account.created \'{"id": 7}\'');
    }

    protected function execute(InputInterface $input, OutputInterface $output): int
    {
        $params = json_decode($input->getArgument('params'), true);
        if (!is_array($params)) {
            throw new InvalidArgument(
                sprintf("params: '%s' is no JSON object: give one such as '{\"id\": 7}'", $input->getArgument('params'))
            );
        }
        $options = [];
        foreach (['confirm', 'delay', 'queue', 'key', 'id'] as $name) {
            $options[$name] = $input->getOption($name);
        }
        if (is_numeric($options['delay'])) {
            $options['delay'] = (float) $options['delay'];
        }
        $client = $this->container->get('Proletarier\ClientInterface');
        $output->writeln($client->trigger($input->getArgument('event'), $params, array_filter($options, 'is_scalar')));

        return self::SUCCESS;
    }
}
